"""What every ledger promises about children that fail while their parent waits for others."""

from __future__ import annotations

import pytest

from orchestrator.entries import Outcome, Parked
from orchestrator.ledger.base import Claim, Ledger, LedgerSettings, Pointer
from orchestrator.run_ids import child_id
from tests.contract.steps import child_reports, claim, end_child, new_child, park, reply, start_and_claim

FAILURE = Outcome(kind="failure", error={"type": "RunFailed", "message": "no"})
CANCELLED = Outcome(kind="cancelled")
WOKEN = [Pointer("run", 2, "agents.triage", None, None, "asks")]


async def park_for(ledger: Ledger, claimed: Claim, *calls: str, max_failures: int | None) -> list[Pointer]:
    """Park the run on one child a call, of which so many may fail."""
    children = [new_child(claimed.run_id, call_id) for call_id in calls]
    waits = {call_id: child.run_id for call_id, child in zip(calls, children, strict=True)}
    entries = [reply(), Parked(waits=waits, max_failures=max_failures)]
    return await ledger.park(claimed, claimed.size, entries, children=children, note="asks")


@pytest.mark.parametrize("outcome", [FAILURE, CANCELLED])
async def test_one_failure_too_many_resumes_the_parent_while_others_go_on(ledger: Ledger, outcome: Outcome) -> None:
    await park_for(ledger, await start_and_claim(ledger), "c1", "c2", max_failures=0)

    assert await end_child(ledger, "run", "c1", outcome) == WOKEN

    summary = await ledger.summary("run")
    assert summary
    assert (summary.status, summary.waits) == ("queued", {"c2": child_id("run", "c2")})


async def test_a_poisoned_child_is_a_failure(ledger: Ledger) -> None:
    await park_for(ledger, await start_and_claim(ledger), "c1", "c2", max_failures=0)

    for _ in range(LedgerSettings().max_tries + 1):
        child = await claim(ledger, child_id("run", "c1"))

    assert child.outcome
    summary = await ledger.summary("run")
    assert summary
    assert (summary.status, summary.step) == ("queued", 2)


async def test_answers_and_failures_that_are_allowed_let_the_parent_wait(ledger: Ledger) -> None:
    await park_for(ledger, await start_and_claim(ledger), "c1", "c2", "c3", "c4", max_failures=1)

    assert await end_child(ledger, "run", "c1") == []
    assert await end_child(ledger, "run", "c2", FAILURE) == []
    assert await end_child(ledger, "run", "c3", FAILURE) == WOKEN


async def test_without_a_number_all_may_fail(ledger: Ledger) -> None:
    await park_for(ledger, await start_and_claim(ledger), "c1", "c2", max_failures=None)

    assert await end_child(ledger, "run", "c1", FAILURE) == []
    assert await end_child(ledger, "run", "c2", FAILURE) == WOKEN


async def test_the_parents_end_cancels_the_children_that_go_on(ledger: Ledger) -> None:
    await park_for(ledger, await start_and_claim(ledger), "c1", "c2", max_failures=0)
    await end_child(ledger, "run", "c1", FAILURE)
    parent = await claim(ledger, step=2, message="m2")

    await ledger.end(parent, parent.size, [], FAILURE)

    other = await ledger.summary(child_id("run", "c2"))
    assert other
    assert other.cancel


async def test_a_child_that_ends_meanwhile_reports_to_the_next_park(ledger: Ledger) -> None:
    await park_for(ledger, await start_and_claim(ledger), "c1", "c2", max_failures=0)
    await end_child(ledger, "run", "c1", FAILURE)
    assert await end_child(ledger, "run", "c2", FAILURE) == []
    parent = await claim(ledger, step=2, message="m2")

    pointers = await park_for(ledger, parent, "c2", "c3", max_failures=0)

    assert [pointer.run_id for pointer in pointers] == [child_id("run", "c3"), "run"]
    assert await child_reports(ledger) == [("c1", "failure"), ("c2", "failure")]


async def test_a_number_holds_for_one_park(ledger: Ledger) -> None:
    await park_for(ledger, await start_and_claim(ledger), "c1", max_failures=0)
    await end_child(ledger, "run", "c1")
    await park(ledger, await claim(ledger, step=2, message="m2"), "c2", "c3")

    assert await end_child(ledger, "run", "c2", FAILURE) == []
