"""What the parts of a flow are given of what is known around them: what their prompts use, and no more."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator import (
    Agent,
    Flow,
    FlowError,
    RunFailed,
    each,
    parallel,
    refine,
    route,
    run_inline,
    sequence,
    step,
    vote,
)
from orchestrator.budget import Budget
from orchestrator.combinators.base import At
from orchestrator.entries import FlowScope, RunInput, RunOptions
from orchestrator.ledger.memory import MemoryLedger
from orchestrator.loop import background
from orchestrator.run_ids import child_id
from orchestrator.testing import ScriptedModel
from tests.support.in_process import InProcess

SECONDS = 60
EVERYTHING = "{flow_input} {input} {first}"


def agent(name: str, *replies: str) -> Agent[Any]:
    return Agent(name, model=ScriptedModel(replies))


def asked(of: Agent[Any]) -> list[str]:
    assert isinstance(of.model, ScriptedModel)
    return [str(request.input[0]["content"]) for request in of.model.requests]


def given_to(ledger: MemoryLedger, run_id: str) -> RunInput:
    first = background.run(ledger.entries(run_id))[0][1]
    assert isinstance(first, RunInput)
    return first


def scope_of(ledger: MemoryLedger, run_id: str) -> FlowScope:
    scope = given_to(ledger, run_id).scope
    assert scope is not None
    return scope


def options_of(ledger: MemoryLedger, run_id: str) -> RunOptions:
    return given_to(ledger, run_id).options


def test_a_part_of_a_flow_is_given_what_its_prompts_use() -> None:
    inside = sequence(step("inside", prompt="{input} {first}"), "after")
    flow = Flow("f", sequence(agent("first", "1"), agent("second", "2"), parallel(inside, sequence("after"))))
    app = InProcess([flow, agent("inside", "3"), agent("after", "4", "5")])
    run = app.submit(flow, "x" * 1000, run_id="run")
    run.result(SECONDS)

    using, idle = (scope_of(app.ledger, child_id("run", f"3.parallel/{n}.sequence")) for n in (1, 2))

    assert (using.named, using.flow_input, using.value) == ({"first": "1"}, None, "2")
    assert (idle.named, idle.flow_input) == ({}, None)


@pytest.mark.parametrize(
    "around",
    [
        lambda part: parallel(sequence(part)),
        lambda part: parallel(parallel(sequence(part))),
        lambda part: each(None, sequence(part), items=lambda value: [value]),
        lambda part: parallel(refine(part, "judge", passes=bool)),
        lambda part: parallel(route("judge", {"good": part})),
        lambda part: vote(sequence(part), 1, judge=lambda texts: texts),
        lambda part: parallel(sequence(step("judge", name="flow_input"), part)),
    ],
)
def test_prompts_deep_inside_use_the_flows_input_and_earlier_results(around: Any) -> None:
    deep = agent("deep", "done")
    part = sequence(lambda _: "received", step(deep, prompt=EVERYTHING))
    flow = Flow("f", sequence(agent("first", "1"), around(part)))
    app = InProcess([flow, agent("judge", "good")])

    app.submit(flow, "tea").result(SECONDS)

    assert asked(deep) == ["tea received 1"]


def test_a_steps_options_go_before_the_flows_and_leave_the_others() -> None:
    flow = Flow("f", sequence(step("a", run_options={"model_settings": {"temperature": 0}}, max_turns=3), "b"))
    app = InProcess([flow, agent("a", "1"), agent("b", "2")])
    app.submit(flow, "x", run_id="run", tenant="acme", max_turns=7, budget={"turns": 9}).result(SECONDS)

    first, second = (options_of(app.ledger, child_id("run", place)) for place in ("1.a", "2.b"))

    assert (first.tenant, first.max_turns, second.max_turns) == ("acme", 3, 7)
    assert first.model_settings is not None
    assert first.budget == second.budget == Budget(turns=9)


def test_a_flow_in_a_flow_has_its_own_input() -> None:
    deep = agent("deep", "done")
    inner = Flow("inner", parallel(sequence(step(deep, prompt="{flow_input}"))))

    run_inline(Flow("outer", sequence(agent("first", "1"), parallel(sequence(inner)))), "tea")

    assert asked(deep) == ["1"]


def test_a_name_nearby_hides_the_one_from_outside() -> None:
    deep = agent("deep", "done")
    inside = sequence(agent("near", "inner"), step(deep, prompt="{first}"))
    renamed = sequence(step(agent("other", "nearer"), name="first"), step(deep, prompt="{first}"))

    assert inside.borrowed_names == {"first"}
    assert renamed.borrowed_names == set()


def test_a_prompt_of_a_newer_flow_that_uses_what_was_not_handed_down_says_what_to_do() -> None:
    newer = step(agent("deep"), prompt="{flow_input} {first}")

    with pytest.raises(FlowError, match=r"prompt of step `deep` uses {first}, {flow_input}, .* Retry the flow's run"):
        newer.input(At("1.sequence/1.deep", "x", None, {}))


def test_a_deploy_in_the_middle_of_a_run_fails_the_part_and_a_retry_does_it_again() -> None:
    first, deep = agent("first", "1"), agent("deep", "done")

    def deploy(value: str) -> str:
        app.registry.flows["f"] = new
        return value

    def flow(prompt: str) -> Flow:
        return Flow("f", sequence(first, parallel(sequence(deploy, "between", step(deep, prompt=prompt)))))

    old, new = flow("{input}"), flow("{flow_input}: {first}, {input}")
    app = InProcess([old, agent("between", "2", "3")])
    run = app.submit(old, "tea")

    with pytest.raises(RunFailed, match=r"prompt of step `deep` uses {first}, {flow_input}, .* Retry"):
        run.result(SECONDS)

    again = run.retry().result(SECONDS)

    assert again == ["done"]
    assert asked(deep) == ["tea: 1, 3"]
    assert len(asked(first)) == 1
