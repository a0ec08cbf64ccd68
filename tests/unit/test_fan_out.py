"""What combinators do that let members work side by side: parallel, each and vote."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from orchestrator import Flow, FlowError, at_least, each, parallel, sequence, step, vote
from orchestrator.errors import RunFailed
from tests.support.evaluated import Verdict, agent, failing, points_of, quote

# ---- parallel -----------------------------------------------------------------------------------


def test_members_get_the_same_and_the_next_step_gets_their_list() -> None:
    flow = Flow("f", parallel(agent("a"), sequence(agent("b"), agent("c")), then=agent("writer")))

    assert flow.evaluate("x", quote) == "writer(['a(x)', 'c(b(x))'])"


def test_without_a_next_step_the_list_is_the_result() -> None:
    assert Flow("f", parallel(agent("a"), agent("a"))).evaluate("x", quote) == ["a(x)", "a(x)"]


def test_a_failed_member_fails_the_parallel() -> None:
    with pytest.raises(RunFailed, match="b is out of order"):
        Flow("f", parallel(agent("a"), agent("b"))).evaluate("x", failing("b"))


def test_keep_goes_on_with_what_came() -> None:
    flow = Flow("f", parallel(agent("a"), agent("b"), agent("c"), on_failure="keep"))

    assert flow.evaluate("x", failing("b")) == ["a(x)", "c(x)"]
    with pytest.raises(
        FlowError, match=r"3 of 3 members have failed, and 1 must have a result. The first failure: a is out"
    ):
        flow.evaluate("x", failing("a", "b", "c"))


def test_at_least_n_members_must_have_a_result() -> None:
    flow = Flow("f", parallel(agent("a"), agent("b"), agent("c"), on_failure=at_least(2)))

    assert flow.evaluate("x", failing("b")) == ["a(x)", "c(x)"]
    with pytest.raises(FlowError, match="2 of 3 members have failed, and 2 must have a result"):
        flow.evaluate("x", failing("a", "b"))


def test_a_nested_parallel_that_fails_is_a_failed_member() -> None:
    flow = Flow("f", parallel(parallel(agent("a"), agent("b")), agent("c"), on_failure="keep"))

    assert flow.evaluate("x", failing("b")) == ["c(x)"]


# ---- each ---------------------------------------------------------------------------------------


class Plan(BaseModel):
    """What a planner makes."""

    searches: list[str]


def test_every_item_of_a_structured_list_gets_a_run() -> None:
    flow = Flow("f", each(agent("planner"), agent("search"), then=agent("writer")))

    def answer(name: str, given: Any) -> Any:
        return Plan(searches=["tea", "milk"]) if name == "planner" else quote(name, given)

    assert flow.evaluate("x", answer) == "writer(['search(tea)', 'search(milk)'])"


def test_a_list_may_come_from_the_step_before_as_text_or_from_a_field() -> None:
    assert Flow("f", each(None, agent("a"))).evaluate('["x", "y"]', quote) == ["a(x)", "a(y)"]
    picked = each(None, agent("a"), items=lambda value: value["parts"])
    assert Flow("f", picked).evaluate({"parts": [1, 2], "more": 0}, quote) == ["a(1)", "a(2)"]


def test_an_empty_list_runs_nothing_and_goes_on() -> None:
    assert Flow("f", each(None, agent("a"))).evaluate([], quote) == []
    assert Flow("f", each(None, agent("a"), then=agent("writer"))).evaluate([], quote) == "writer([])"


def test_too_many_items_fail_before_any_has_run() -> None:
    flow = Flow("f", each(None, agent("a"), max_items=2, name="fan"))

    with pytest.raises(FlowError, match="`fan` got 3 items; max_items=2 allows no more"):
        flow.evaluate([1, 2, 3], failing("a"))


def test_what_is_no_list_fails() -> None:
    with pytest.raises(FlowError, match=r'`each` needs a list, but got "three things". Say with items='):
        Flow("f", each(None, agent("a"))).evaluate("three things", quote)


# ---- vote ---------------------------------------------------------------------------------------


def test_the_judge_gets_all_attempts() -> None:
    flow = Flow("f", vote(agent("a"), 2, judge=step(agent("judge"), prompt="{task}: {input}")))

    assert flow.evaluate("x", quote) == 'judge(x: ["a(x)", "a(x)"])'


def test_a_judge_may_pick_by_number() -> None:
    attempts = iter(["one", "two", "three"])
    flow = Flow("f", vote(agent("a"), 3, judge=agent("judge"), pick=points_of))

    def answer(name: str, given: Any) -> Any:
        return Verdict(good=True, points=2) if name == "judge" else next(attempts)

    assert flow.evaluate("x", answer) == "two"


@pytest.mark.parametrize("picked", [3, 0, "the first", None])
def test_a_pick_that_is_not_there_fails(picked: Any) -> None:
    flow = Flow("f", vote(agent("a"), 2, judge=agent("judge"), pick=lambda verdict: picked))

    with pytest.raises(FlowError, match=f"`vote` has 2 attempts; its judge picked number {picked!r}"):
        flow.evaluate("x", quote)
