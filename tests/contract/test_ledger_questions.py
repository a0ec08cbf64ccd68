"""What every ledger promises about questions to people: asked by a park, decided whatever the run is doing."""

from __future__ import annotations

import time
from typing import Any

import pytest

from orchestrator.entries import Decided, Parked
from orchestrator.errors import AlreadyDecided, DecisionError, NotAsked, RunNotFound, RunOver
from orchestrator.ledger.base import Claim, Ledger, Pointer
from orchestrator.question import Question, QuestionKind
from orchestrator.run_ids import child_id
from tests.contract.steps import (
    ANSWER,
    child_reports,
    claim,
    end_child,
    log_types,
    new_child,
    new_run,
    output,
    reply,
    start_and_claim,
    started,
    until,
)

CHILD = child_id("run", "child")


def question(call_id: str, tool: str = "refund", **fields: Any) -> Question:
    return Question(call_id=call_id, tool=tool, **fields)


async def ask(ledger: Ledger, claimed: Claim, *questions: Question, child: str = "") -> list[Pointer]:
    """Park on questions, and on a child if one is named."""
    children = [new_child(claimed.run_id, child)] if child else []
    waits = {child: children[0].run_id} if child else {}
    entry = Parked(questions=list(questions), waits=waits)
    times = [asked.expires_at for asked in questions if asked.expires_at]
    timer_at = min(times) if times else None
    return await ledger.park(claimed, claimed.size, [entry], children=children, note="asks", timer_at=timer_at)


async def decide(ledger: Ledger, call_id: str = "c1", *, decision_id: str = "d1", **fields: Any) -> list[Pointer]:
    fields.setdefault("verdict", "approved")
    return await ledger.decide("run", Decided(call_id=call_id, **fields), decision_id=decision_id)


async def test_a_decision_wakes_a_parked_run(ledger: Ledger) -> None:
    await ask(ledger, await start_and_claim(ledger), question("c1"), question("c2"))

    [pointer] = await decide(ledger, by="ann")

    assert (pointer.run_id, pointer.step) == ("run", 2)
    claimed = await claim(ledger, step=2)
    assert claimed.entries[3] == Decided(call_id="c1", verdict="approved", by="ann")


async def test_a_run_that_asks_has_no_deadline(hasty: Ledger) -> None:
    await ask(hasty, await start_and_claim(hasty), question("c1"))

    assert await hasty.reconcile(10) == []
    summary = await hasty.summary("run")
    assert summary
    assert summary.status == "parked"


async def test_a_decision_on_a_queued_run_is_seen_by_its_claim(ledger: Ledger) -> None:
    await ask(ledger, await start_and_claim(ledger), question("c1"), question("c2"))
    await decide(ledger, "c1")

    assert await decide(ledger, "c2", decision_id="d2", verdict="rejected") == []

    claimed = await claim(ledger, step=2)
    assert [entry.type for entry in claimed.entries[3:]] == ["decided", "decided", "invocation"]


async def test_a_decision_does_not_stop_the_holders_writes(ledger: Ledger) -> None:
    await ask(ledger, await start_and_claim(ledger), question("c1"), question("c2"))
    await decide(ledger, "c1")
    claimed = await claim(ledger, step=2)
    await ledger.append(claimed, claimed.size, [started("c1")])

    assert await decide(ledger, "c2", decision_id="d2") == []

    await ledger.append(claimed, claimed.size + 1, [output("c1")])
    await ledger.append(claimed, claimed.size + 1, [output("c1")])  # repeated after a lost connection
    assert (await log_types(ledger))[5:] == ["started", "decided", "output"]


async def test_a_park_on_what_was_decided_meanwhile_wakes_at_once(ledger: Ledger) -> None:
    await ask(ledger, await start_and_claim(ledger), question("c1"), question("c2"))
    await decide(ledger, "c1")
    claimed = await claim(ledger, step=2)
    await decide(ledger, "c2", decision_id="d2")

    [pointer] = await ask(ledger, claimed, question("c2"))

    assert (pointer.run_id, pointer.step) == ("run", 3)
    assert (await claim(ledger, step=3)).size == 6  # without the two decisions


async def test_a_later_question_about_the_same_call_is_open(ledger: Ledger) -> None:
    await ask(ledger, await start_and_claim(ledger), question("c1"))
    await decide(ledger)

    again = question("c1", kind="interrupted", round=2)
    assert await ask(ledger, await claim(ledger, step=2), again) == []

    assert len(await decide(ledger, decision_id="d2")) == 1


async def test_the_first_decision_counts(ledger: Ledger) -> None:
    await ask(ledger, await start_and_claim(ledger), question("c1"))
    await decide(ledger, by="ann")
    before = await log_types(ledger)

    with pytest.raises(AlreadyDecided, match="`c1` of run `run` was approved by ann"):
        await decide(ledger, decision_id="d2", verdict="rejected")

    assert await log_types(ledger) == before


async def test_a_decision_that_is_repeated_is_taken_once(ledger: Ledger) -> None:
    await ask(ledger, await start_and_claim(ledger), question("c1"))

    first = await decide(ledger)

    assert await decide(ledger) == first
    assert (await log_types(ledger)).count("decided") == 1


async def test_a_decision_for_always_decides_the_tools_other_questions(ledger: Ledger) -> None:
    await ask(ledger, await start_and_claim(ledger), question("c1"), question("c2"), question("c3", tool="other"))

    await decide(ledger, always=True)

    with pytest.raises(AlreadyDecided):
        await decide(ledger, "c2", decision_id="d2")
    await decide(ledger, "c3", decision_id="d3")


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("answer", {"verdict": "approved"}),
        ("approval", {"verdict": "answered", "value": 1}),
        ("interrupted", {"verdict": "approved", "always": True}),
        ("answer", {"verdict": "rejected", "always": True}),
    ],
)
async def test_a_decision_that_does_not_fit_the_question_is_refused(
    ledger: Ledger, kind: QuestionKind, fields: dict[str, Any]
) -> None:
    await ask(ledger, await start_and_claim(ledger), question("c1", kind=kind))

    with pytest.raises(DecisionError, match="cannot be decided so"):
        await decide(ledger, **fields)

    await decide(ledger, verdict="rejected")


async def test_what_is_not_asked_cannot_be_decided(ledger: Ledger) -> None:
    with pytest.raises(RunNotFound):
        await decide(ledger)
    claimed = await start_and_claim(ledger)
    with pytest.raises(NotAsked):
        await decide(ledger)
    await ask(ledger, claimed, question("c1"))
    with pytest.raises(NotAsked, match="`c9`"):
        await decide(ledger, "c9")


async def test_after_the_end_there_is_nothing_to_decide(ledger: Ledger) -> None:
    await ask(ledger, await start_and_claim(ledger), question("c1"), question("c2"))
    await decide(ledger)
    claimed = await claim(ledger, step=2)
    await ledger.end(claimed, claimed.size, [], ANSWER)

    with pytest.raises(RunOver):
        await decide(ledger, "c2", decision_id="d2")


async def test_a_cancelled_run_has_nothing_to_decide(ledger: Ledger) -> None:
    await ask(ledger, await start_and_claim(ledger), question("c1"))

    assert len(await ledger.cancel("run")) == 1

    with pytest.raises(RunOver):
        await decide(ledger)


async def test_a_question_expires(hasty: Ledger) -> None:
    await ask(hasty, await start_and_claim(hasty), question("c1", expires_at=time.time() + 0.1), question("c2"))

    [pointer] = await until(lambda: hasty.reconcile(10))

    assert (pointer.run_id, pointer.step) == ("run", 2)
    with pytest.raises(AlreadyDecided, match="nobody had decided in time"):
        await decide(hasty)
    claimed = await claim(hasty, step=2)
    assert claimed.entries[-1] == Decided(call_id="c1", expired=True)
    await hasty.append(claimed, claimed.size, [reply()])
    await decide(hasty, "c2", decision_id="d2")


async def test_a_decision_wakes_a_run_whose_child_is_still_at_work(ledger: Ledger) -> None:
    await ask(ledger, await start_and_claim(ledger), question("c1"), child="child")
    await decide(ledger)
    claimed = await claim(ledger, step=2)

    assert await end_child(ledger, "run", "child") == []  # the parent is awake: nobody to report to yet

    waiting = Parked(waits={"child": CHILD})
    [pointer] = await ledger.park(claimed, claimed.size, [waiting], children=[new_child("run", "child")], note="")
    assert pointer.step == 3
    assert await child_reports(ledger) == [("child", "answer")]


async def test_a_childs_end_wakes_a_run_that_asks_too(ledger: Ledger) -> None:
    await ask(ledger, await start_and_claim(ledger), question("c1"), child="child")

    assert [pointer.step for pointer in await end_child(ledger, "run", "child")] == [2]


@pytest.mark.parametrize("how", ["cancel", "end"])
async def test_a_child_is_cancelled_with_a_run_that_a_decision_woke(ledger: Ledger, how: str) -> None:
    await ask(ledger, await start_and_claim(ledger), question("c1"), child="child")
    await decide(ledger)
    claimed = await claim(ledger, step=2)

    if how == "cancel":
        await ledger.cancel("run")
    else:
        await ledger.end(claimed, claimed.size, [], ANSWER)

    assert (await claim(ledger, CHILD)).cancel is True


async def test_a_new_park_forgets_the_waits_of_the_last(ledger: Ledger) -> None:
    await ask(ledger, await start_and_claim(ledger), question("c1"), child="child")
    await decide(ledger)
    await ask(ledger, await claim(ledger, step=2), question("c2"))

    summary = await ledger.summary("run")

    assert summary
    assert summary.waits == {}


async def test_a_repeated_park_points_to_the_run_that_it_woke(ledger: Ledger) -> None:
    await ledger.start(new_run())
    await ask(ledger, await claim(ledger), question("c1"), question("c2"))
    await decide(ledger)
    claimed = await claim(ledger, step=2)
    await decide(ledger, "c2", decision_id="d2")

    first = await ask(ledger, claimed, question("c2"))

    assert await ask(ledger, claimed, question("c2")) == first
