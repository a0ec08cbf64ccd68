"""What is refused when a flow is made: each refusal names the thing and the remedy."""

from __future__ import annotations

import enum
import functools
from collections.abc import Callable
from typing import Any

import pytest
from celery import Signature, chain, group
from pydantic import BaseModel

from orchestrator import Flow, UserError, at_least, each, gate, parallel, refine, route, sequence, step, vote
from orchestrator.entries import RunOptions
from tests.support.evaluated import agent, quote

TASK = Signature(task="shop.mark")


class Opaque:
    """Has no JSON form."""


def take_nothing() -> str:
    return ""


def take_two(first: str, second: str) -> str:
    return first + second


def take_opaque(value: Opaque) -> str:
    return ""


def make_opaque(value: str) -> Opaque:
    return Opaque()


def join(value: str, *, mark: str = "!") -> str:
    return value + mark


class Kind(enum.Enum):
    REFUND = "refund"


class Verdict(BaseModel):
    good: bool


REFUSALS: list[tuple[Callable[[], Any], str]] = [
    # Parts that are missing, or stand where others belong.
    (lambda: sequence(), "A sequence needs a step"),
    (lambda: sequence(gate(bool)), "A sequence needs a step"),
    (lambda: parallel(), "A parallel needs a member"),
    (lambda: parallel(gate(bool)), "Gate `bool` stands where a step belongs"),
    (lambda: parallel("a", on_failure=at_least(2)), "of 1 members can never be met"),
    (lambda: parallel("a", on_failure="ignore"), 'on_failure is "fail", "keep" or at_least'),
    (lambda: at_least(0), "from 1 up, not 0"),
    (lambda: each(None, "a", max_items=0), "max_items is a whole number from 1 up"),
    (lambda: route("a", {}), "A route needs a branch"),
    (lambda: route("a", {"x/y": "b", "x_y": "c"}), "differ only in"),
    (lambda: refine("a", "b", passes=bool, max_rounds=0), "max_rounds is a whole number from 1 up"),
    (lambda: refine("a", "b", passes=bool, when_exhausted="no"), 'when_exhausted is "best" or "fail"'),
    (lambda: refine("a", "b", passes=bool, revise="{input}"), "revise= may use"),
    (lambda: vote("a", 0, judge="b"), "count of a vote's attempts is a whole number from 1 up, not 0"),
    (lambda: step(7), "A flow's step is an agent, a flow, a Celery task, a function or a combinator, not 7"),
    (lambda: step(parallel("a")), "`parallel` is a combinator already"),
    (lambda: refine("a", "b", passes=True), "passes= takes a function of one value, not True"),  # type: ignore[arg-type]
    (lambda: each("a", "b", items="topics"), "items= takes a function"),  # type: ignore[arg-type]
    (lambda: route("a", {"x": "b"}, key="kind"), "key= takes a function"),  # type: ignore[arg-type]
    (lambda: vote("a", 2, judge="b", pick=2), "pick= takes a function"),  # type: ignore[arg-type]
    (lambda: sequence("a", gate=True), "gate= takes a function"),  # type: ignore[arg-type]
    (lambda: step(group(TASK)), "A Celery group has no result"),
    (lambda: step(chain(TASK, group(TASK, TASK))), "A Celery group has no result"),
    (lambda: gate("no"), "A gate takes a function"),  # type: ignore[arg-type]
    (lambda: Flow("", "a"), "A flow's name must be"),
    # Functions that can never be called, or never get what they ask for.
    (lambda: step(take_nothing), r"A step takes a function of one value, and `take_nothing\(\) -> .*Let it take one"),
    (lambda: sequence(take_two), r"and `take_two\(first: 'str', second: 'str'\) -> 'str'` cannot be called with one"),
    (lambda: step(Verdict), r"and `Verdict\(\*, good: .* cannot be called with one"),
    (lambda: parallel("a", then=take_nothing), "A step takes a function of one value"),
    (lambda: gate(take_two), "A gate takes a function of one value"),
    (lambda: sequence("a", "b", gate=take_nothing), "gate= takes a function of one value"),
    (lambda: each("a", "b", items=take_two), "items= takes a function of one value"),
    (lambda: route("a", {"x": "b"}, key=take_two), "key= takes a function of one value"),
    (lambda: refine("a", "b", passes=take_nothing), "passes= takes a function of one value"),
    (lambda: refine("a", "b", passes=None), "passes= takes a function of one value, not None"),  # type: ignore[arg-type]
    (lambda: refine("a", "b", passes=bool, score=take_two), "score= takes a function of one value"),
    (lambda: refine("a", "b", passes=bool, feedback=take_two), "feedback= takes a function of one value"),
    (lambda: vote("a", 2, judge="b", pick=take_two), "pick= takes a function of one value"),
    (lambda: step(take_opaque), "of a value that has a JSON form, and `take_opaque` says Opaque. Make that a pydantic"),
    (lambda: step(make_opaque), "returns a value that has a JSON form, and `make_opaque` says Opaque"),
    (lambda: gate(take_opaque), "A gate takes a function of a value that has a JSON form"),
    # Options.
    (lambda: step("a", run_options={"nope": 1}), "Step `a`: The run's options are not valid: `nope`"),
    (lambda: step("a", run_options="fast"), "Step `a`: The run's options are not valid"),  # type: ignore[arg-type]
    (lambda: step("a", max_turns=-1), "Step `a`: The run's options are not valid: `max_turns`"),
    (lambda: step("a", run_options={"budget": {"turns": 3}}), "Step `a` sets budget, .* give them to submit"),
    (lambda: step("a", run_options=RunOptions(tags=("x",), deadline_at=9e9)), "Step `a` sets deadline_at, tags"),
    (lambda: step(join, max_turns=3), "are for agents and flows; step `join` is a function"),
    (lambda: step(TASK, run_options={"model": "m"}), "are for agents and flows; step `shop.mark` is a task"),
    # Numbers, texts and mappings that are none.
    (lambda: vote("a", "3", judge="b"), "count of a vote's attempts is a whole number from 1 up, not '3'"),  # type: ignore[arg-type]
    (lambda: vote("a", True, judge="b"), "a whole number from 1 up, not True"),
    (lambda: at_least("2"), "What at_least.* is a whole number from 1 up, not '2'"),  # type: ignore[arg-type]
    (lambda: each("a", "b", max_items=2.5), "max_items is a whole number from 1 up, not 2.5"),  # type: ignore[arg-type]
    (lambda: refine("a", "b", passes=bool, max_rounds="5"), "max_rounds is a whole number"),  # type: ignore[arg-type]
    (lambda: each("a", "b", max_items=3, on_failure=at_least(4)), "at_least.4. of 3 members can never be met"),
    (lambda: refine("a", "b", passes=bool, revise=7), "revise= is text, not 7"),  # type: ignore[arg-type]
    (lambda: refine("a", "b", passes=bool, revise=None), "revise= is text, not None"),  # type: ignore[arg-type]
    (lambda: step("a", prompt=7), "The prompt of step `a` is text, not 7"),  # type: ignore[arg-type]
    (lambda: step("a", name=7), "The name of a step is text, not 7"),  # type: ignore[arg-type]
    (lambda: parallel("a", name=7), "The name of a parallel is text, not 7"),  # type: ignore[arg-type]
    (lambda: sequence("a", " "), "A flow's step is an agent, .* not ' '"),
    (lambda: route("a", ["b"]), r"A route's branches are a mapping, such as .*, not \['b'\]"),  # type: ignore[arg-type]
    (lambda: route("a", {"x": "b", " x": "c"}), "Two branches of a route are one"),
]


@pytest.mark.parametrize(("declare", "said"), REFUSALS)
def test_what_cannot_work_is_refused(declare: Callable[[], Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        declare()


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (join, "x!"),
        (functools.partial(take_two, "a"), "ax"),
        (functools.partial(join, mark="?"), "x?"),
        (str.upper, "X"),
        (len, 1),
        (lambda *values: values[0], "x"),
    ],
)
def test_functions_that_can_be_called_with_one_value_are_steps(function: Any, expected: Any) -> None:
    assert Flow("f", function).evaluate("x", quote) == expected


def test_an_enum_names_a_branch_by_its_value() -> None:
    flow = Flow("f", route(agent("classifier"), {Kind.REFUND: agent("a")}))  # type: ignore[dict-item]

    assert flow.evaluate("x", lambda name, given: "refund" if name == "classifier" else quote(name, given)) == "a(x)"
