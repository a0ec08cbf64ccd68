"""What every ledger promises about cancels, in each state of a run, and about holders that lost it."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator.entries import HandedOff, Outcome, Parked
from orchestrator.ledger.base import CancelledMeanwhile, Ended, Fenced, Ledger, Pointer
from orchestrator.run_ids import child_id
from orchestrator.usage import Usage
from tests.contract.steps import (
    ANSWER,
    child_reports,
    claim,
    log_types,
    new_child,
    new_run,
    park,
    reply,
    start_and_claim,
    started,
)

CHILD_1, CHILD_2 = child_id("run", "c1"), child_id("run", "c2")


async def test_cancel_of_an_unknown_run_waits_for_it(ledger: Ledger) -> None:
    assert await ledger.cancel("run") == []
    assert await ledger.summary("run") is None

    assert await ledger.start(new_run()) == Pointer("run", 1, "agents.triage")
    assert (await claim(ledger)).cancel is True


async def test_cancel_of_a_queued_run_is_seen_by_its_claim(ledger: Ledger) -> None:
    await ledger.start(new_run())

    assert await ledger.cancel("run") == []
    assert (await claim(ledger)).cancel is True


async def test_cancel_of_a_running_run_is_told_by_renew(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)

    await ledger.cancel("run")

    assert await ledger.renew([("run", claimed.fence)]) == ["cancel"]


async def test_cancel_of_a_parked_run_wakes_it_and_descends(ledger: Ledger) -> None:
    await park(ledger, await start_and_claim(ledger), "c1", "c2")
    await park(ledger, await claim(ledger, CHILD_1), "deeper")
    grandchild = child_id(CHILD_1, "deeper")

    pointers = await ledger.cancel("run")

    assert sorted((pointer.run_id, pointer.step) for pointer in pointers) == sorted([("run", 2), (CHILD_1, 2)])
    for run_id, step in (("run", 2), (CHILD_1, 2), (CHILD_2, 1), (grandchild, 1)):
        assert (await claim(ledger, run_id, step)).cancel is True


async def test_cancel_repeated_points_to_the_woken_run_again(ledger: Ledger) -> None:
    await park(ledger, await start_and_claim(ledger), "c1")
    [woken] = await ledger.cancel("run")

    assert await ledger.cancel("run") == [woken]


async def test_cancel_after_the_outcome_is_too_late(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.end(claimed, 2, [], ANSWER)

    assert await ledger.cancel("run") == []

    summary = await ledger.summary("run")
    assert summary
    assert (summary.cancel, summary.outcome) == (False, ANSWER)


async def test_a_cancelled_run_ends_as_cancelled_whatever_it_wanted_to_end_with(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.cancel("run")

    outcome = (await ledger.end(claimed, 2, [reply()], Outcome(kind="answer", usage=Usage(requests=3)))).outcome

    assert (outcome.kind, outcome.usage) == ("cancelled", Usage(requests=3))
    assert await log_types(ledger) == ["input", "invocation", "reply", "outcome"]


async def test_a_cancelled_outcome_of_the_callers_own_is_kept(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.cancel("run")
    own = Outcome(kind="cancelled", agent="triage", history=[], context={"a": []})

    assert await ledger.end(claimed, 2, [], own) == Ended(own)


async def test_a_cancelled_run_ends_instead_of_handing_over(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.append(claimed, 2, [started("c1")])
    await ledger.cancel("run")
    moves = [reply(), HandedOff(source="triage", target="billing", outputs=[])]

    for _ in range(2):  # the second call repeats the first after a lost connection
        with pytest.raises(CancelledMeanwhile) as raised:
            await ledger.hand_over(
                claimed, 3, moves, task="agents.billing", queue=None, note="", usage=Usage(requests=1)
            )
        assert (raised.value.outcome.kind, raised.value.outcome.usage) == ("cancelled", Usage(requests=1))

    assert await log_types(ledger) == ["input", "invocation", "started", "reply", "output", "outcome"]
    assert await ledger.renew([("run", claimed.fence)]) == ["held"]
    await ledger.close(claimed)


async def test_a_cancelled_child_ends_instead_of_parking_and_reports(ledger: Ledger) -> None:
    await park(ledger, await start_and_claim(ledger), "c1")
    child = await claim(ledger, CHILD_1)
    await ledger.cancel(CHILD_1)

    with pytest.raises(CancelledMeanwhile) as raised:
        await park(ledger, child, "deeper")

    assert [(pointer.run_id, pointer.step) for pointer in raised.value.pointers] == [("run", 2)]
    assert await child_reports(ledger) == [("c1", "cancelled")]
    assert await ledger.summary(child_id(CHILD_1, "deeper")) is None


async def test_a_child_that_was_cancelled_in_advance_keeps_its_flag(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.cancel(CHILD_1)

    await ledger.park(claimed, 2, [Parked(waits={"c1": CHILD_1})], children=[new_child("run", "c1")], note="")

    assert (await claim(ledger, CHILD_1)).cancel is True


async def test_a_fenced_holder_cannot_commit_in_any_way(ledger: Ledger) -> None:
    zombie = await start_and_claim(ledger)
    await claim(ledger)

    with pytest.raises(Fenced):
        await ledger.append(zombie, 2, [reply()])
    with pytest.raises(Fenced):
        await park(ledger, zombie, "c1")
    with pytest.raises(Fenced):
        await ledger.hand_over(zombie, 2, [], task="agents.billing", queue=None, note="")
    with pytest.raises(Fenced):
        await ledger.end(zombie, 2, [], ANSWER)
    with pytest.raises(Fenced):
        await ledger.close(zombie)
    assert await ledger.renew([("run", zombie.fence), ("unknown", 1)]) == ["fenced", "fenced"]
    assert await log_types(ledger) == ["input", "invocation", "invocation"]


# ---- reasons, and how holders hear ------------------------------------------------------------


async def test_a_reason_is_kept_and_told_by_the_outcome(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.cancel("run", reason="too dear")
    await ledger.cancel("run", reason="another")

    with pytest.raises(CancelledMeanwhile) as raised:
        await park(ledger, claimed, "c1")

    summary = await ledger.summary("run")
    assert summary
    assert summary.cancel_reason == "too dear"
    assert (raised.value.outcome.error or {})["message"] == "The run was cancelled: too dear"


async def test_the_reason_of_a_cancel_in_advance_waits_for_the_run(ledger: Ledger) -> None:
    await ledger.cancel("run", reason="too late")
    await ledger.start(new_run())

    summary = await ledger.summary("run")

    assert summary
    assert (summary.cancel, summary.cancel_reason) == (True, "too late")


async def test_children_are_cancelled_for_the_same_reason(ledger: Ledger) -> None:
    await park(ledger, await start_and_claim(ledger), "c1")
    await ledger.cancel("run", reason="too dear")

    summary = await ledger.summary(CHILD_1)

    assert summary
    assert summary.cancel_reason == "too dear"


async def test_holders_hear_of_cancels_at_once(ledger: Ledger) -> None:
    await park(ledger, await start_and_claim(ledger), "c1", "c2")
    await claim(ledger, CHILD_1)
    start, none_yet = await ledger.follow_cancels(None, timeout_seconds=60)
    hearing = asyncio.ensure_future(ledger.follow_cancels(start, timeout_seconds=60))
    await asyncio.sleep(0.05)

    await ledger.cancel("run")

    position, heard = await hearing
    assert (none_yet, heard) == ([], [CHILD_1])  # the others are not at work
    assert await ledger.follow_cancels(position, timeout_seconds=0.1) == (position, [])
    assert await ledger.follow_cancels(None, timeout_seconds=60) == (position, [])


async def test_a_position_from_before_a_cancel_finds_it_later(ledger: Ledger) -> None:
    await start_and_claim(ledger)
    start, _ = await ledger.follow_cancels(None, timeout_seconds=60)
    await ledger.cancel("run")

    _, heard = await ledger.follow_cancels(start, timeout_seconds=60)

    assert heard == ["run"]
