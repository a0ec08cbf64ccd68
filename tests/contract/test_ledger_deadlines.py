"""What every ledger promises once time passes: leases, the grace of queued runs, timers, retention, followers."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from orchestrator.ledger.base import AgentRecord, Fenced, Ledger, LedgerSettings
from orchestrator.ledger.live import START
from orchestrator.run_ids import child_id
from tests.contract.conftest import MakeLedger
from tests.contract.steps import (
    ANSWER,
    claim,
    end_child,
    log_types,
    new_run,
    park,
    reply,
    start_and_claim,
    until,
)

# ---- queued -----------------------------------------------------------------------------------


async def test_a_queued_run_is_published_again_when_nobody_claims_it(hasty: Ledger) -> None:
    pointer = await hasty.start(new_run(queue="fast"))

    assert await hasty.reconcile(10) == []
    assert await until(lambda: hasty.reconcile(10)) == [pointer]


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
    for number in range(3):
        await hasty.start(new_run(f"run{number}"))
    await asyncio.sleep(0.25)

    assert len(await hasty.reconcile(2)) == 2
    assert len(await hasty.reconcile(2)) == 1


async def test_runs_in_a_long_queue_keep_no_lost_one_waiting(make_ledger: MakeLedger) -> None:
    ledger = make_ledger(LedgerSettings(grace_seconds=0.1, lease_seconds=0.3))
    for number in range(20):
        await ledger.start(new_run(f"waits{number}"))
    await start_and_claim(ledger, "lost")
    await asyncio.sleep(0.4)

    [first] = await ledger.reconcile(1)

    assert first.run_id == "lost"


# ---- running ----------------------------------------------------------------------------------


async def test_a_lapsed_lease_gives_the_same_step_to_another_worker(hasty: Ledger) -> None:
    zombie = await start_and_claim(hasty)

    [pointer] = await until(lambda: hasty.reconcile(10))

    assert (pointer.run_id, pointer.step) == ("run", 1)
    with pytest.raises(Fenced):
        await hasty.append(zombie, 2, [reply()])
    assert (await claim(hasty, message="m2")).fence > zombie.fence


async def test_a_brief_claim_lapses_after_the_grace_unless_it_is_renewed(make_ledger: MakeLedger) -> None:
    ledger = make_ledger(LedgerSettings(grace_seconds=0.1, lease_seconds=3600))
    for run_id in ("forgotten", "kept"):
        await ledger.start(new_run(run_id))
    await claim(ledger, "forgotten", brief=True)
    kept = await claim(ledger, "kept", brief=True)
    await ledger.renew([("kept", kept.fence)])

    [pointer] = await until(lambda: ledger.reconcile(10))

    assert pointer.run_id == "forgotten"


async def test_a_renewed_lease_does_not_lapse(make_ledger: MakeLedger) -> None:
    ledger = make_ledger(LedgerSettings(lease_seconds=0.5))
    claimed = await start_and_claim(ledger)

    for _ in range(8):
        assert await ledger.renew([("run", claimed.fence)]) == ["held"]
        assert await ledger.reconcile(10) == []
        await asyncio.sleep(0.1)


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


# ---- parked -----------------------------------------------------------------------------------


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


# ---- done -------------------------------------------------------------------------------------


async def test_a_closed_run_expires_after_its_retention(hasty: Ledger) -> None:
    claimed = await start_and_claim(hasty)
    await hasty.start(new_run("other"))
    await hasty.end(claimed, 2, [], ANSWER)
    await hasty.close(claimed)
    assert [summary.run_id for summary in await hasty.recent(10)] == ["other", "run"]

    async def is_gone() -> bool:
        return await hasty.summary("run") is None

    await until(is_gone)

    assert await log_types(hasty) == []
    assert [summary.run_id for summary in await hasty.recent(1)] == ["other"]
    assert await hasty.start(new_run()) is not None


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


# ---- reads ------------------------------------------------------------------------------------


async def test_follow_sees_new_entries_of_several_runs(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await park(ledger, claimed, "c1")
    child_run = child_id("run", "c1")
    seen = await ledger.follow({"run": START, child_run: START}, timeout_seconds=5)
    positions = {run_id: position for run_id, position, _ in seen}

    waiting = asyncio.create_task(ledger.follow(positions, timeout_seconds=10))
    await asyncio.sleep(0.05)
    child = await claim(ledger, child_run)
    first = await waiting
    await ledger.end(child, child.size, [], ANSWER)
    positions |= {run_id: position for run_id, position, _ in first}
    rest = await ledger.follow(positions, timeout_seconds=5)

    assert [(run_id, entry.type) for run_id, _, entry in seen] == [
        *(("run", kind) for kind in ("input", "invocation", "reply", "parked")),
        (child_run, "input"),
    ]
    assert [(run_id, entry.type) for run_id, _, entry in first] == [(child_run, "invocation")]
    assert {(run_id, entry.type) for run_id, _, entry in rest} == {("run", "child"), (child_run, "outcome")}


async def test_follow_gives_up_after_its_timeout(ledger: Ledger) -> None:
    await ledger.start(new_run())
    [(position, _)] = await ledger.entries("run")
    began = time.monotonic()

    assert await ledger.follow({"run": position, "unknown": START}, timeout_seconds=0.2) == []

    assert 0.15 <= time.monotonic() - began < 2


async def test_entries_continue_after_a_position(ledger: Ledger) -> None:
    await start_and_claim(ledger)
    [(first, _), (second, _)] = await ledger.entries("run")

    assert [entry.type for _, entry in await ledger.entries("run", first)] == ["invocation"]
    assert await ledger.entries("run", second) == []


async def test_recent_lists_the_newest_first(ledger: Ledger) -> None:
    for number in range(4):
        await ledger.start(new_run(f"run{number}"))
        await asyncio.sleep(0.002)

    assert [summary.run_id for summary in await ledger.recent(3)] == ["run3", "run2", "run1"]


async def test_the_directory_knows_live_workers_and_the_latest_dead_ones(ledger: Ledger) -> None:
    now = time.time()

    def record(task: str, worker: str, age: float) -> AgentRecord:
        return AgentRecord(task=task, module="tasks.desk", queue=None, worker=worker, seen_at=now - age)

    live = [record("agents.triage", "w1", 1), record("agents.triage", "w2", 2)]
    dead = [record("agents.triage", "w3", 90), record("agents.billing", "w3", 90), record("agents.billing", "w4", 80)]

    await ledger.announce([record("agents.triage", "w1", 20), *dead], expire_seconds=30)
    await ledger.announce(live, expire_seconds=30)

    assert await ledger.loaded() == [replace(dead[2], is_live=False), *live]


async def test_ping_answers(ledger: Ledger) -> None:
    await ledger.ping()


async def test_deadlines_are_those_of_runs_that_a_worker_moves_on(ledger: Ledger) -> None:
    await start_and_claim(ledger, "running")
    await ledger.start(new_run("queued"))
    parked = await start_and_claim(ledger, "parked")
    await park(ledger, parked, "c1")

    found = await ledger.deadlines(10)

    assert [run_id for run_id, _ in found] == ["queued", child_id("parked", "c1"), "running"]
    assert [at for _, at in found] == pytest.approx([time.time() + 5, time.time() + 5, time.time() + 30], abs=3)
    assert await ledger.deadlines(1) == found[:1]
    assert await ledger.deadline("running") == found[2][1]
    assert await ledger.deadline("parked") is None
    assert await ledger.deadline("unknown") is None


# ---- hastened ---------------------------------------------------------------------------------


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
