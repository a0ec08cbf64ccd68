"""What every ledger promises once time passes: leases, the grace of queued runs, timers, retention, followers."""

from __future__ import annotations

import asyncio
import time

import pytest

from orchestrator.ledger.base import Fenced, Ledger, LedgerSettings
from orchestrator.run_ids import child_id
from tests.contract.conftest import MakeLedger
from tests.contract.steps import ANSWER, claim, end_child, log_types, new_run, park, reply, start_and_claim, until

# ---- queued -------------------------------------------------------------------------------------


async def test_a_queued_run_is_published_again_when_nobody_claims_it(hasty: Ledger) -> None:
    began = time.monotonic()
    pointer = await hasty.start(new_run(queue="fast"))

    assert await until(lambda: hasty.reconcile(10)) == [pointer]
    assert time.monotonic() - began >= 0.95 * hasty.settings.grace_seconds


async def test_queued_runs_are_published_again_more_and_more_seldom(make_ledger: MakeLedger) -> None:
    ledger = make_ledger(LedgerSettings(grace_seconds=0.1, max_grace_seconds=0.4))
    run_ids = {f"run{number}" for number in range(10)}
    began = time.monotonic()
    for run_id in run_ids:
        await ledger.start(new_run(run_id))

    times: list[float] = []
    for _ in range(3):
        waiting = set(run_ids)
        while waiting:
            waiting -= {pointer.run_id for pointer in await until(lambda: ledger.reconcile(4))}
        times.append(time.monotonic() - began)

    # Due after the grace, then after twice and four times as long.
    assert times[0] >= 0.1
    assert times[1] >= 0.3
    assert times[2] >= 0.7


async def test_reconcile_moves_on_no_more_than_it_was_asked_for(hasty: Ledger) -> None:
    left = {f"run{number}" for number in range(3)}
    for run_id in left:
        await hasty.start(new_run(run_id))
    await asyncio.sleep(0.25)

    found = await hasty.reconcile(2)
    assert len(found) == 2
    while left := left - {pointer.run_id for pointer in found}:
        found = await until(lambda: hasty.reconcile(2))
        assert len(found) <= 2


async def test_runs_in_a_long_queue_keep_no_lost_one_waiting(make_ledger: MakeLedger) -> None:
    ledger = make_ledger(LedgerSettings(grace_seconds=0.1, lease_seconds=0.3))
    for number in range(20):
        await ledger.start(new_run(f"waits{number}"))
    await start_and_claim(ledger, "lost")
    await asyncio.sleep(0.4)

    [first] = await ledger.reconcile(1)

    assert first.run_id == "lost"


# ---- running ------------------------------------------------------------------------------------


async def test_a_lapsed_lease_gives_the_same_step_to_another_worker(hasty: Ledger) -> None:
    zombie = await start_and_claim(hasty)

    [pointer] = await until(lambda: hasty.reconcile(10))

    assert (pointer.run_id, pointer.step) == ("run", 1)
    with pytest.raises(Fenced):
        await hasty.append(zombie, 2, [reply()])
    assert (await claim(hasty, message="m2")).fence > zombie.fence


async def test_a_renewed_lease_does_not_lapse(make_ledger: MakeLedger) -> None:
    ledger = make_ledger(LedgerSettings(lease_seconds=2.0))
    claimed = await start_and_claim(ledger)

    for _ in range(5):
        assert await ledger.renew([("run", claimed.fence)]) == ["held"]
        assert await ledger.reconcile(10) == []
        await asyncio.sleep(0.5)


async def test_an_outcome_whose_delivery_is_lost_is_delivered_again(hasty: Ledger) -> None:
    claimed = await start_and_claim(hasty)
    await hasty.end(claimed, 2, [], ANSWER)

    await until(lambda: hasty.reconcile(10))
    again = await claim(hasty, message="m2")

    assert again.outcome == ANSWER
    await hasty.close(again)
    with pytest.raises(Fenced):
        await hasty.close(claimed)


async def test_a_run_that_keeps_losing_its_lease_is_given_up(hasty: Ledger) -> None:
    await start_and_claim(hasty)
    for _ in range(hasty.settings.max_tries):
        await until(lambda: hasty.reconcile(10))
        claimed = await claim(hasty)

    assert claimed.outcome
    assert claimed.outcome.kind == "failure"


# ---- parked -------------------------------------------------------------------------------------


async def test_a_parked_run_without_timer_has_no_deadline(hasty: Ledger) -> None:
    await park(hasty, await start_and_claim(hasty), "c1")

    overdue = await until(lambda: hasty.reconcile(10))

    assert [pointer.run_id for pointer in overdue] == [child_id("run", "c1")]


async def test_a_timer_wakes_a_sleeping_run(hasty: Ledger) -> None:
    claimed = await start_and_claim(hasty)
    timer_at = time.time() + 0.2

    assert await hasty.park(claimed, 2, [], children=[], note="sleeps", timer_at=timer_at) == []
    [pointer] = await until(lambda: hasty.reconcile(10))

    assert time.time() >= timer_at
    assert (pointer.run_id, pointer.step) == ("run", 2)


async def test_a_timer_wakes_a_run_whose_children_are_late(hasty: Ledger) -> None:
    claimed = await start_and_claim(hasty)
    await park(hasty, claimed, "c1", timer_at=time.time() + 0.1)

    async def woken() -> bool:
        return any(pointer.run_id == "run" for pointer in await hasty.reconcile(10))

    await until(woken)

    assert await end_child(hasty, "run", "c1") == []
    assert (await claim(hasty, step=2)).entries[-2].type == "parked"


async def test_children_that_end_in_time_stop_the_timer(ledger: Ledger) -> None:
    await park(ledger, await start_and_claim(ledger), "c1", timer_at=time.time() + 0.1)
    await end_child(ledger, "run", "c1")
    await claim(ledger, step=2)

    await asyncio.sleep(0.2)

    assert await ledger.reconcile(10) == []


# ---- done ---------------------------------------------------------------------------------------


async def test_a_closed_run_expires_after_its_retention(make_ledger: MakeLedger) -> None:
    ledger = make_ledger(LedgerSettings(retention_seconds=3.0))
    claimed = await start_and_claim(ledger)
    await ledger.start(new_run("other"))
    await ledger.end(claimed, 2, [], ANSWER)
    await ledger.close(claimed)
    assert [summary.run_id for summary in await ledger.recent(10)] == ["other", "run"]

    async def is_gone() -> bool:
        return await ledger.summary("run") is None

    await until(is_gone)

    assert await log_types(ledger) == []
    assert [summary.run_id for summary in await ledger.recent(1)] == ["other"]
    assert await ledger.start(new_run()) is not None


async def test_a_closed_run_has_no_deadline(hasty: Ledger) -> None:
    claimed = await start_and_claim(hasty)
    await hasty.end(claimed, 2, [], ANSWER)
    await hasty.close(claimed)

    await asyncio.sleep(0.25)

    assert await hasty.reconcile(10) == []


async def test_a_cancel_in_advance_expires(hasty: Ledger) -> None:
    await hasty.cancel("run")
    await asyncio.sleep(0.6)

    await hasty.start(new_run())

    assert (await claim(hasty)).cancel is False


async def test_a_cancel_in_advance_does_not_make_the_run_expire(hasty: Ledger) -> None:
    await hasty.cancel("run")
    await hasty.start(new_run())

    await asyncio.sleep(0.6)

    assert await hasty.summary("run") is not None


# ---- hastened -----------------------------------------------------------------------------------


async def test_sleeping_run_that_is_hastened_goes_on_at_once(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await park(ledger, claimed, timer_at=time.time() + 600)
    assert await ledger.reconcile(10) == []

    await ledger.hasten([("run", 1), ("unknown", 1)])

    assert [(pointer.run_id, pointer.step) for pointer in await ledger.reconcile(10)] == [("run", 2)]


async def test_run_that_is_hastened_as_it_parks_does_not_sleep(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.hasten([("run", 1)])
    assert await ledger.reconcile(10) == []  # it works

    await park(ledger, claimed, timer_at=time.time() + 600)

    assert [(pointer.run_id, pointer.step) for pointer in await ledger.reconcile(10)] == [("run", 2)]


async def test_run_that_has_gone_on_since_is_not_hastened(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.hasten([("run", 2)])  # another time that it parks
    assert await ledger.reconcile(10) == []
    await park(ledger, claimed, timer_at=time.time() + 600)

    await ledger.hasten([("run", 2)])

    assert await ledger.reconcile(10) == []
