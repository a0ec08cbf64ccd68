"""What a flow's code decides is told: in its run's entries, once, as soon as it is decided."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from orchestrator import Agent, Flow, gate, parallel, refine, route, sequence, vote
from orchestrator.choice import Choice, Choices
from orchestrator.combinators.base import Node
from orchestrator.entries import Outcome, Output, Parked, dump_entry, load_entry
from orchestrator.errors import ModelRequestRejected
from orchestrator.testing import ScriptedModel, ScriptedReply
from tests.support.in_process import InProcess

CHOICE = Choice(place="2.refine", text="passed in round 2")


def agent(name: str, *replies: ScriptedReply) -> Agent[Any]:
    return Agent(name, model=ScriptedModel(replies))


def is_good(text: str) -> bool:
    return text == "good"


def told(node: Node) -> list[tuple[str, str]]:
    """Every choice of the flow, with the type of the entry that holds it."""
    run = InProcess([Flow("f", node)]).submit("f", "x")
    run.result(20)
    return [
        (event.type, str(choice)) for event in run.events() for choice in getattr(event.entry, "choices", tuple[()]())
    ]


def words(node: Node) -> list[str]:
    return [choice for _, choice in told(node)]


def test_a_closed_gate_is_told_and_an_open_one_is_not() -> None:
    def steps(said: str) -> Node:
        return sequence(agent("a", said), gate(is_good), agent("b", "done"))

    assert told(steps("bad")) == [("outcome", "gate is_good closed")]
    assert told(steps("good")) == []


def test_a_route_tells_the_category_that_it_took_before_the_branch_has_ended() -> None:
    def desk(said: str) -> Node:
        return route(agent("classifier", said), {"loud": agent("a", "1")}, default=agent("b", "2"))

    assert told(desk("loud")) == [("parked", "took loud")]
    assert told(desk("shrill")) == [("parked", "took the default for shrill")]


def test_a_refine_tells_every_round_and_which_one_won() -> None:
    def loop(*verdicts: str, **options: Any) -> Node:
        drafts = agent("w", *(f"draft {number}" for number, _ in enumerate(verdicts, start=1)))
        return refine(drafts, agent("j", *verdicts), passes=is_good, max_rounds=len(verdicts), **options)

    assert told(loop("bad", "good")) == [("parked", "round 1 has not passed"), ("outcome", "passed in round 2")]
    assert words(loop("bad", "really bad", "no", score=len)) == [
        "round 1 has not passed, score 3",
        "round 2 has not passed, score 10",
        "round 3 has not passed, score 2",
        "no round has passed: the best of 3 is round 2",
    ]


def test_a_loop_of_functions_tells_its_rounds_with_their_outputs() -> None:
    loop = refine(lambda text: text + "+", len, passes=lambda length: length == 3, revise="{draft}")

    assert told(loop) == [("output", "round 1 has not passed"), ("outcome", "passed in round 2")]


@pytest.mark.parametrize(
    ("drafts", "verdicts"),
    [
        (["1", "2", ModelRequestRejected("no key")], ["bad", "bad"]),
        (["1", "2", "3"], ["bad", "bad", ModelRequestRejected("no key")]),
    ],
)
def test_a_refine_tells_of_a_failed_round_and_whose_draft_stands_in(drafts: list[Any], verdicts: list[Any]) -> None:
    found = words(refine(agent("w", *drafts), agent("j", *verdicts), passes=is_good))

    assert found[2:] == ["round 3 failed (no key): the best of 2 is round 2"]


def test_a_vote_tells_the_attempt_that_was_picked_by_its_own_number() -> None:
    numbers = itertools.count(1)

    async def attempt(_: str) -> str:
        if (number := next(numbers)) == 1:
            raise ValueError("the first one fails")
        return str(number)

    assert words(vote(attempt, 3, judge=lambda _: 1, pick=int)) == [
        "went on with 2 of 3 results",
        "picked attempt 2",
    ]


def test_a_choice_names_its_place_and_is_told_once_however_long_the_flow_goes_on() -> None:
    inner = sequence(agent("a", "bad"), gate(is_good), agent("b", "never"))

    assert words(sequence(inner, agent("c", "1"), agent("d", "2"))) == ["1.sequence: gate is_good closed"]


def test_a_branch_tells_its_choices_in_its_own_run() -> None:
    branch = sequence(agent("a", "bad"), gate(is_good), agent("b", "never"))

    assert told(parallel(branch, agent("c", "1"))) == [("outcome", "1.sequence: gate is_good closed")]


def test_what_the_ledger_has_is_not_given_out_again() -> None:
    choices = Choices()
    choices.recall([CHOICE])

    for choice in (CHOICE, Choice(text="took loud"), Choice(text="took loud")):
        choices.add(choice)

    assert choices.take() == (Choice(text="took loud"),)
    assert choices.take() == ()


@pytest.mark.parametrize("entry", [Parked(), Output(call_id="", tool="", output=""), Outcome(kind="answer")])
def test_entries_of_before_have_no_choices_and_those_of_now_keep_theirs(entry: Any) -> None:
    telling = entry.model_copy(update={"choices": (CHOICE,)})

    assert "choices" not in dump_entry(entry)
    assert load_entry(dump_entry(entry)) == entry
    assert load_entry(dump_entry(telling)) == telling
