"""What many runs that wait cost: memory, messages, and the time of the next run. `make chaos` prints the figures."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from orchestrator.entries import Parked, Reply, RunInput, dump_entry
from orchestrator.ledger.base import LedgerSettings, NewRun
from orchestrator.ledger.redis import RedisLedger
from orchestrator.settings import Settings
from tests.chaos.chaos_app import HEAVY, build_app
from tests.chaos.conftest import SHORT_ROUND_RUNS
from tests.chaos.scripted_model import ScriptedModel
from tests.support.stack import Stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

AT_ONCE = 200
DAY_SECONDS = 86_400.0
CONVERSATION = "Where is my parcel? " * 100
BYTES_BESIDE_CONVERSATION = 10_000
MEASURED_RUNS = 15
SLOWER_AT_MOST = 2.0
"""The fastest run beside the parked ones, against the fastest on a server with none. The two take turns, for the
machine's speed changes."""


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    model = ScriptedModel(seed=5, failure_rate=0.0, latency_seconds=(0.01, 0.01))
    with model.server:
        yield model


@pytest.fixture
def stack(tmp_path: Path, model: ScriptedModel) -> Iterator[Stack]:
    with make_stack(tmp_path / "stack", model) as stack:
        yield stack


@pytest.fixture
def empty(tmp_path: Path, model: ScriptedModel) -> Iterator[Stack]:
    """Another one, on which nothing is parked."""
    with make_stack(tmp_path / "empty", model) as stack:
        yield stack


def make_stack(folder: Path, model: ScriptedModel) -> Stack:
    folder.mkdir()
    environment = {"CHAOS_EFFECTS_FILE": str(folder / "effects"), **model.environment("worker")}
    return Stack(folder, app="tests.chaos.chaos_app", environment=environment)


@pytest.fixture
def server(stack: Stack) -> Iterator[Any]:
    client = redis.Redis.from_url(stack.url, decode_responses=True)
    yield client
    client.close()


def test_parked_runs_cost_little_and_slow_no_other_run(
    stack: Stack, empty: Stack, server: Any, chaos_runs: int, print_figures: Any
) -> None:
    count = 10_000 if chaos_runs > SHORT_ROUND_RUNS else 1_000
    for each_stack in (stack, empty):
        each_stack.start_worker(queues=f"celery,{HEAVY}", pool="prefork")
    measure_runs(stack.url)  # what the server keeps of runs and workers is there now
    memory, keys = server.info("memory")["used_memory"], server.dbsize()

    asyncio.run(in_ledger(stack.url, lambda ledger: park_runs(ledger, count)))

    each = (server.info("memory")["used_memory"] - memory) / count
    keys_each = (server.dbsize() - keys) / count
    beside, alone = measure_runs(stack.url, empty.url)
    figures = {
        "runs parked": str(count),
        "memory of each": f"{each:,.0f} bytes",
        "of which conversation": f"{conversation_bytes():,} bytes",
        "keys each": f"{keys_each:.2f}",
        "messages in queues": str(server.llen("celery") + server.llen(HEAVY)),
        "a run on an empty server": f"{statistics.median(alone) * 1000:.1f} ms (median of {MEASURED_RUNS})",
        "a run beside them": f"{statistics.median(beside) * 1000:.1f} ms",
    }
    print_figures(f"parked runs: {count}", figures)
    assert each - conversation_bytes() < BYTES_BESIDE_CONVERSATION
    assert figures["messages in queues"] == "0"
    assert min(beside) < SLOWER_AT_MOST * min(alone)


def test_queued_runs_do_not_slow_the_reconciler(stack: Stack, server: Any, chaos_runs: int, print_figures: Any) -> None:
    count = 100_000 if chaos_runs > SHORT_ROUND_RUNS else 2_000
    lease_seconds = 1.0
    settings = LedgerSettings(grace_seconds=1.0, lease_seconds=lease_seconds)

    async def measure(ledger: RedisLedger) -> tuple[float, float]:
        alone = await time_of_reconcile(ledger)
        await at_once(count, lambda number: ledger.start(new_run(f"waits{number}")))
        await ledger.start(new_run("lost"))
        await ledger.claim("lost", 1, message_id="m", worker="dead")
        await asyncio.sleep(lease_seconds * 1.2)
        assert "lost" in {pointer.run_id for pointer in await ledger.reconcile(1)}
        return alone, await time_of_reconcile(ledger)

    alone, among_many = asyncio.run(in_ledger(stack.url, measure, settings))

    print_figures(
        f"queued runs: {count}",
        {
            "reconcile, nothing queued": f"{alone * 1000:.2f} ms",
            "reconcile, all of them overdue": f"{among_many * 1000:.2f} ms for 100 of them",
            "a lost run among them": "is moved on by the first reconcile",
        },
    )
    assert among_many < 0.1


# ---- parts --------------------------------------------------------------------------------------


async def in_ledger(
    url: str, work: Callable[[RedisLedger], Awaitable[Any]], settings: LedgerSettings | None = None
) -> Any:
    ledger = RedisLedger(url, settings=settings or LedgerSettings())
    try:
        return await work(ledger)
    finally:
        await ledger.close_connections()


async def at_once(count: int, work: Callable[[int], Awaitable[Any]]) -> None:
    """Numbered work, so much of it side by side."""
    for first in range(0, count, AT_ONCE):
        await asyncio.gather(*(work(number) for number in range(first, min(first + AT_ONCE, count))))


async def park_runs(ledger: RedisLedger, count: int) -> None:
    until = time.time() + DAY_SECONDS

    async def park(number: int) -> None:
        await ledger.start(new_run(f"parked{number}"))
        claim = await ledger.claim(f"parked{number}", 1, message_id="m", worker="w")
        assert claim is not None
        entries = [reply(), Parked(until=until)]
        await ledger.park(claim, claim.size, entries, children=[], note="waits", timer_at=until)

    await at_once(count, park)


async def time_of_reconcile(ledger: RedisLedger) -> float:
    times = []
    for _ in range(10):
        began = time.perf_counter()
        await ledger.reconcile(100)
        times.append(time.perf_counter() - began)
    return min(times)  # the others are the machine's


def measure_runs(*urls: str) -> list[list[float]]:
    """How long runs take on each server, from their submit to their answer. The servers take turns."""
    apps = [build_app(Settings(redis_url=url)) for url in urls]
    times: list[list[float]] = [[] for _ in urls]
    for _ in range(MEASURED_RUNS + 1):
        for app, of_app in zip(apps, times, strict=True):
            began = time.perf_counter()
            run = app.orchestrator.submit("closer", "item-1")  # type: ignore[attr-defined]
            run.result(timeout=60)
            of_app.append(time.perf_counter() - began)
    for app in apps:
        app.close()
    return [of_app[1:] for of_app in times]  # the first one opens connections


def new_run(run_id: str) -> NewRun:
    entry = RunInput(agent="closer", items=[{"role": "user", "content": CONVERSATION}])
    return NewRun(run_id=run_id, task="agents.closer", digest="d", entry=entry, queue="later")


def reply() -> Reply:
    message = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": CONVERSATION}]}
    return Reply(agent="closer", items=[message])


def conversation_bytes() -> int:
    return len(dump_entry(new_run("run").entry)) + len(json.dumps(reply().items))
