"""Random nestings of combinators give what a plain Python evaluation of the same data gives."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator import Flow, run_inline
from orchestrator.errors import RunFailed
from orchestrator.settings import Settings
from tests.support import flow_specs
from tests.support.flow_specs import Broken, Spec, build_agents, build_node, random_spec

OFFLINE = Settings(model_api="rehearsal", rehearsal_latency_seconds=0.0)
FAILED = object()


def plain(spec: Spec, text: str) -> Any:
    try:
        return flow_specs.evaluate(spec, text)
    except Broken:
        return FAILED


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.randoms(use_true_random=False), st.text(max_size=8))
def test_a_run_gives_what_plain_python_gives(random: Random, text: str) -> None:
    spec = random_spec(random)
    flow = Flow("f", build_node(spec, build_agents()))

    try:
        found = run_inline(flow, text, settings=OFFLINE).final_output
    except RunFailed:
        found = FAILED

    assert found == plain(spec, text)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.randoms(use_true_random=False), st.text(max_size=8))
def test_its_evaluation_without_a_ledger_gives_the_same(random: Random, text: str) -> None:
    spec = random_spec(random, depth=4)
    flow = Flow("f", build_node(spec, build_agents()))

    def answer(name: str, given: Any) -> str:
        if name == "spec_failing":
            raise RunFailed("out of order")
        return flow_specs.answer_of(name.removeprefix("spec_"), flow_specs.text_of(given))

    try:
        found = flow.evaluate(text, answer)
    except RunFailed:
        found = FAILED

    assert found == plain(spec, text)
