"""Tenants share a model's limit: what reaches the model's server, on real workers.

    python -m tests.load.shared_limit --rate 600 --seconds 90

prints the rate against the limit, the fullest minute, and each tenant's part of its fair share.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator import create_app
from orchestrator.ledger.limits import LimitUse
from orchestrator.ledger.limits_redis import RedisLimitStore
from orchestrator.limits import Limit
from orchestrator.loop import background
from orchestrator.settings import Settings
from tests.support.model_server import Json, ModelServer, Reply, message
from tests.support.stack import Stack, wait_until

APP = "tests.load.limit_app"
MODEL = "test-model"
LOOK_SECONDS = 0.02
CROWD = {"large": 3.0, "middle": 1.5, "small": 1.0}
"""Tenants, and how many of its fair share each wants."""


@dataclass(frozen=True)
class Measured:
    """What a model's server saw while every tenant wanted more than there was."""

    limit_per_minute: float
    arrivals: Sequence[tuple[float, str]]
    """Time and tenant of each call."""
    seconds: float
    standstill_seconds: float = 0.0
    """The longest that this process stood still meanwhile: so late may a worker send a call, or the server take it."""

    @property
    def most_a_minute(self) -> float:
        """How many calls a minute may hold: those that are late are in it with those that are not."""
        return self.limit_per_minute * (60 + 2 * self.standstill_seconds) / 60

    def fullest(self, seconds: float = 60.0) -> int:
        """The most calls in any stretch of so long."""
        times = sorted(at for at, _ in self.arrivals)
        return max(bisect_left(times, first + seconds) - index for index, first in enumerate(times))

    @property
    def rate(self) -> float:
        """Calls a minute."""
        return len(self.arrivals) * 60 / self.seconds

    def part_of_fair_share(self) -> dict[str, float]:
        """1.0: the tenant had what is its due."""
        counts = Counter(tenant for _, tenant in self.arrivals)
        return {tenant: counts[tenant] * len(CROWD) / len(self.arrivals) for tenant in CROWD}

    def report(self) -> str:
        """The figures, for people."""
        shares = ", ".join(f"{tenant} {part:.1%}" for tenant, part in self.part_of_fair_share().items())
        return (
            f"limit {self.limit_per_minute:g} a minute; measured over {self.seconds:g} s: {self.rate:.1f} a minute "
            f"({self.rate / self.limit_per_minute:.1%}); fullest minute {self.fullest()}; "
            f"of its fair share: {shares}"
        )


def start_workers(stack: Stack, count: int) -> None:
    """Start them side by side."""
    workers = [stack.start_worker(f"w{number}", concurrency=64, wait=False) for number in range(count)]
    for worker in workers:
        worker.wait_for_log("ready.")


def environment(server: ModelServer, limit: Mapping[str, Any], **settings: str) -> dict[str, str]:
    """What workers need to ask this server under this limit."""
    asked = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "test-key", "ORCHESTRATOR_MODEL": MODEL}
    return {**asked, "ORCHESTRATOR_LIMITS": json.dumps([{"model": MODEL, **limit}]), **settings}


def tenant_of(body: Json) -> str:
    """Whose call it is: the first word of its input."""
    content = body["input"][-1]["content"]
    return str(content).split()[0]


def submit(stack: Stack, wanted: Mapping[str, int], **settings: Any) -> None:
    """Submit so many runs of each tenant."""
    orchestrator = create_app("producer", settings=Settings(redis_url=stack.url, **settings)).orchestrator

    def submit_one(job: tuple[str, int]) -> None:
        tenant, number = job
        run_id = f"{tenant}-{number}"
        orchestrator.submit("asker", f"{tenant} {number}", run_id=run_id, queue="celery", tenant=tenant)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(submit_one, _interleaved(wanted)))


def _interleaved(wanted: Mapping[str, int]) -> list[tuple[str, int]]:
    """All tenants come at the same time, whatever they have."""
    jobs = [(number / count, tenant, number) for tenant, count in wanted.items() for number in range(count)]
    return [(tenant, number) for _, tenant, number in sorted(jobs)]


def waiting(stack: Stack) -> dict[str, int]:
    """How many runs of each tenant wait for the limit."""

    async def read() -> LimitUse:
        store = RedisLimitStore(stack.url)
        try:
            return await store.use(Limit(model=MODEL))
        finally:
            await store.close_connections()

    return {use.tenant: use.waiting + use.parked for use in background.run(read()).tenants}


def measure(folder: Path, *, per_minute: int, seconds: float, workers: int = 2) -> Measured:
    """Load the limit for `seconds`, after a start that is not counted."""
    fair = per_minute * (seconds + 60) / 60 / len(CROWD)
    wanted = {tenant: round(fair * factor) for tenant, factor in CROWD.items()}
    with ModelServer(handler=lambda body, path: Reply(items=[message("yes")], delay_seconds=0.2)) as server:
        limits = environment(server, {"requests_per_minute": per_minute})
        with Stack(folder, app=APP, environment=limits) as stack:
            submit(stack, wanted)
            start_workers(stack, workers)
            # Until none is in the queue any more: those that are called back would have to wait behind them.
            wait_until(
                lambda: sum(waiting(stack).values()) + len(server.requests) >= sum(wanted.values()) - 2,
                "all runs have come to the limit",
                timeout_seconds=240,
            )
            began, seen = time.monotonic(), len(server.requests)
            standstill = sleep_and_watch(seconds)
            ended = time.monotonic()
            assert min(waiting(stack).values()) > 0, f"a tenant ran out of runs: {waiting(stack)}"
    calls = [request for request in server.requests[seen:] if request.method == "POST" and request.time < ended]
    arrivals = [(call.time, tenant_of(call.body)) for call in calls]
    return Measured(per_minute, arrivals, ended - began, standstill)


def sleep_and_watch(seconds: float) -> float:
    """The longest that this process did not come to its turn meanwhile."""
    ends_at, looked, longest = time.monotonic() + seconds, time.monotonic(), 0.0
    while (now := time.monotonic()) < ends_at:
        longest = max(longest, now - looked - LOOK_SECONDS)
        looked = now
        time.sleep(LOOK_SECONDS)
    return longest


def main() -> None:
    """Measure, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=600, help="requests a minute")
    parser.add_argument("--seconds", type=float, default=90)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="limit-load-") as folder:
        measured = measure(Path(folder), per_minute=options.rate, seconds=options.seconds, workers=options.workers)
    print(measured.report())


if __name__ == "__main__":
    main()
