"""What every ledger promises about runs that wait for each other: park, children's reports."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator.entries import ChildEnded, Outcome
from orchestrator.errors import RunConflict
from orchestrator.ledger.base import Ledger, LedgerSettings, Pointer
from orchestrator.run_ids import child_id
from tests.contract.conftest import MakeLedger
from tests.contract.steps import (
    ANSWER,
    child_reports,
    claim,
    end_child,
    log_types,
    new_child,
    new_run,
    park,
    reply,
    start_and_claim,
)

CHILD_1, CHILD_2 = child_id("run", "c1"), child_id("run", "c2")


# ---- park and the children's reports ----------------------------------------------------------


async def test_park_creates_its_children_queued(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)

    pointers = await park(ledger, claimed, "c1", "c2")

    assert pointers == [Pointer(CHILD_1, 1, "agents.triage"), Pointer(CHILD_2, 1, "agents.triage")]
    summary = await ledger.summary("run")
    assert summary
    assert (summary.status, summary.step, summary.waits) == ("parked", 1, {"c1": CHILD_1, "c2": CHILD_2})
    child = await claim(ledger, CHILD_1)
    assert child.parent == ("run", "c1")


async def test_park_repeated_after_a_lost_connection_is_applied_once(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    first = await park(ledger, claimed, "c1", "c2")

    assert await park(ledger, claimed, "c1", "c2") == first
    assert await log_types(ledger) == ["input", "invocation", "reply", "parked"]


async def test_park_repeated_after_the_children_have_ended_points_to_the_run(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await park(ledger, claimed, "c1")
    resumed = await end_child(ledger, "run", "c1")

    assert await park(ledger, claimed, "c1") == resumed


async def test_the_last_child_to_end_queues_the_parent(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger, queue="fast", continuation={"group": "g1"})
    await park(ledger, claimed, "c1", "c2")

    assert await end_child(ledger, "run", "c2") == []
    assert await end_child(ledger, "run", "c1") == [
        Pointer("run", 2, "agents.triage", "fast", None, "asks", {"group": "g1"})
    ]

    resumed = await claim(ledger, step=2)
    assert await child_reports(ledger) == [("c2", "answer"), ("c1", "answer")]
    assert resumed.entries[-2] == ChildEnded(call_id="c1", child=CHILD_1, outcome=ANSWER)


async def test_children_that_end_at_once_resume_the_parent_once(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    calls = [f"c{number}" for number in range(20)]
    await park(ledger, claimed, *calls)

    pointers = await asyncio.gather(*(end_child(ledger, "run", call_id) for call_id in calls))

    assert [len(found) for found in pointers].count(1) == 1
    assert len(await child_reports(ledger)) == 20
    summary = await ledger.summary("run")
    assert summary
    assert (summary.status, summary.step, summary.waits) == ("queued", 2, {})


async def test_an_outcome_reaches_the_parent_unchanged(ledger: Ledger) -> None:
    await park(ledger, await start_and_claim(ledger), "c1")
    outcome = Outcome(kind="answer", output={"list": [], "object": {}, "text": 'é"\n/'}, context={"a": []}, history=[])

    await end_child(ledger, "run", "c1", outcome)

    [(_, entry)] = (await ledger.entries("run"))[-1:]
    assert entry == ChildEnded(call_id="c1", child=CHILD_1, outcome=outcome)


async def test_children_are_not_among_the_submitted_runs(ledger: Ledger) -> None:
    await park(ledger, await start_and_claim(ledger), "c1")

    assert [summary.run_id for summary in await ledger.recent(10)] == ["run"]


async def test_a_child_that_has_ended_reports_to_a_second_park_at_once(ledger: Ledger) -> None:
    await park(ledger, await start_and_claim(ledger), "c1")
    await end_child(ledger, "run", "c1")

    pointers = await park(ledger, await claim(ledger, step=2), "c1")

    assert [(pointer.run_id, pointer.step) for pointer in pointers] == [("run", 3)]
    assert await child_reports(ledger) == [("c1", "answer"), ("c1", "answer")]


async def test_park_on_a_taken_child_id_changes_nothing(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.start(new_run(CHILD_2, digest="other"))
    children = [new_child("run", "c1"), new_child("run", "c2")]

    with pytest.raises(RunConflict, match=CHILD_2):
        await ledger.park(claimed, 2, [reply()], children=children, note="")

    assert await log_types(ledger) == ["input", "invocation"]
    assert await ledger.summary(CHILD_1) is None


async def test_a_poisoned_child_reports_its_failure(make_ledger: MakeLedger) -> None:
    ledger = make_ledger(LedgerSettings(max_tries=1))
    await park(ledger, await start_and_claim(ledger), "c1")
    await claim(ledger, CHILD_1)

    await claim(ledger, CHILD_1)

    assert await child_reports(ledger) == [("c1", "failure")]
    assert (await claim(ledger, step=2)).cancel is False


async def test_a_child_that_reports_too_late_is_ignored(ledger: Ledger) -> None:
    await park(ledger, await start_and_claim(ledger), "c1")
    await ledger.cancel("run")

    assert await end_child(ledger, "run", "c1") == []
    assert await child_reports(ledger) == []
