"""What every ledger shows: logs as they grow, recent runs, who has loaded what, and deadlines."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from orchestrator.choice import Choice
from orchestrator.entries import ChildEnded, Parked
from orchestrator.ledger.base import AgentRecord, Ledger
from orchestrator.ledger.live import START
from orchestrator.run_ids import child_id
from tests.contract.steps import ANSWER, claim, end_child, new_child, new_run, park, start_and_claim


async def test_follow_sees_new_entries_of_several_runs(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await park(ledger, claimed, "c1")
    child_run = child_id("run", "c1")
    seen = await ledger.follow({"run": START, child_run: START}, timeout_seconds=60)
    positions = {run_id: position for run_id, position, _ in seen}

    waiting = asyncio.create_task(ledger.follow(positions, timeout_seconds=60))
    await asyncio.sleep(0.05)
    child = await claim(ledger, child_run)
    first = await waiting
    await ledger.end(child, child.size, [], ANSWER)
    positions |= {run_id: position for run_id, position, _ in first}
    rest = await ledger.follow(positions, timeout_seconds=60)

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

    assert 0.15 <= time.monotonic() - began < 30


async def test_entries_continue_after_a_position(ledger: Ledger) -> None:
    await start_and_claim(ledger)
    [(first, _), (second, _)] = await ledger.entries("run")

    assert [entry.type for _, entry in await ledger.entries("run", first)] == ["invocation"]
    assert await ledger.entries("run", second) == []


async def test_what_a_flows_code_chose_stays_in_the_log_and_in_its_childs_report(ledger: Ledger) -> None:
    choices = (Choice(place="1.route", text='took "loud"'), Choice(text="gate is_good closed"))
    claimed = await start_and_claim(ledger)
    await ledger.park(
        claimed,
        claimed.size,
        [Parked(waits={"c1": child_id("run", "c1")}, choices=choices)],
        children=[new_child("run", "c1")],
        note="",
    )

    await end_child(ledger, "run", "c1", ANSWER.model_copy(update={"choices": choices}))

    *_, (_, parked), (_, reported) = await ledger.entries("run")
    assert isinstance(parked, Parked)
    assert isinstance(reported, ChildEnded)
    assert parked.choices == reported.outcome.choices == choices


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
    assert [at for _, at in found] == pytest.approx([time.time() + 5, time.time() + 5, time.time() + 30], abs=10)
    assert await ledger.deadlines(1) == found[:1]
    assert await ledger.deadline("running") == found[2][1]
    assert await ledger.deadline("parked") is None
    assert await ledger.deadline("unknown") is None
