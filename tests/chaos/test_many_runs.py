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
"""On a machine that others use, too. One after the other on a quiet one, they are as fast as before."""


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    model = ScriptedModel(seed=5, failure_rate=0.0, latency_seconds=(0.01, 0.01))
    with model.server:
        yield model


@pytest.fixture
def stack(tmp_path: Path, model: ScriptedModel) -> Iterator[Stack]:
    environment = {"CHAOS_EFFECTS_FILE": str(tmp_path / "effects"), **model.environment("worker")}
    with Stack(tmp_path, app="tests.chaos.chaos_app", environment=environment) as stack:
        yield stack


@pytest.fixture
def server(stack: Stack) -> Iterator[Any]:
    client = redis.Redis.from_url(stack.url, decode_responses=True)
    yield client
    client.close()


def test_parked_runs_cost_little_and_slow_no_other_run(
    stack: Stack, server: Any, chaos_runs: int, print_figures: Any
) -> None:
    count = 10_000 if chaos_runs > SHORT_ROUND_RUNS else 1_000
    stack.start_worker(queues=f"celery,{HEAVY}", pool="prefork")
    before = measure_runs(stack.url)
    memory, keys = server.info("memory")["used_memory"], server.dbsize()

    asyncio.run(in_ledger(stack.url, lambda ledger: park_runs(ledger, count)))

    each = (server.info("memory")["used_memory"] - memory) / count
    after = measure_runs(stack.url)
    figures = {
        "runs parked": str(count),
        "memory of each": f"{each:,.0f} bytes",
        "of which conversation": f"{conversation_bytes():,} bytes",
        "keys each": f"{(server.dbsize() - keys) / count:.2f}",
        "messages in queues": str(server.llen("celery") + server.llen(HEAVY)),
        "a run before": f"{before * 1000:.1f} ms (median of {MEASURED_RUNS})",
        "a run after": f"{after * 1000:.1f} ms",
    }
    print_figures(f"parked runs: {count}", figures)
    assert each - conversation_bytes() < BYTES_BESIDE_CONVERSATION
    assert figures["messages in queues"] == "0"
    assert after < SLOWER_AT_MOST * before


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
    return statistics.median(times)


def measure_runs(url: str) -> float:
    """How long a run takes, from its submit to its answer."""
    app = build_app(Settings(redis_url=url))
    times = []
    for _ in range(MEASURED_RUNS + 1):
        began = time.perf_counter()
        run = app.orchestrator.submit("closer", "item-1")  # type: ignore[attr-defined]
        run.result(timeout=30)
        times.append(time.perf_counter() - began)
    app.close()
    return statistics.median(times[1:])  # the first one opens connections


def new_run(run_id: str) -> NewRun:
    entry = RunInput(agent="closer", items=[{"role": "user", "content": CONVERSATION}])
    return NewRun(run_id=run_id, task="agents.closer", digest="d", entry=entry, queue="later")


def reply() -> Reply:
    message = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": CONVERSATION}]}
    return Reply(agent="closer", items=[message])


def conversation_bytes() -> int:
    return len(dump_entry(new_run("run").entry)) + len(json.dumps(reply().items))
