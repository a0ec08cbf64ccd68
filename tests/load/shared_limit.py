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
from orchestrator.settings import Settings
from tests.support.model_server import Json, ModelServer, Reply, message
from tests.support.stack import Stack

APP = "tests.load.limit_app"
MODEL = "test-model"
CROWD = {"large": 3.0, "middle": 1.5, "small": 1.0}
"""Tenants, and how many of its fair share each wants."""


@dataclass(frozen=True)
class Measured:
    """What a model's server saw while every tenant wanted more than there was."""

    limit_per_minute: float
    arrivals: Sequence[tuple[float, str]]
    """Time and tenant of each call."""
    seconds: float

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


def submit(stack: Stack, wanted: Mapping[str, int]) -> None:
    """Submit so many runs of each tenant, the largest first."""
    app = create_app("producer", settings=Settings(redis_url=stack.url))
    orchestrator = app.orchestrator
    jobs = [(tenant, number) for tenant, count in wanted.items() for number in range(count)]
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda job: orchestrator.submit("asker", f"{job[0]} {job[1]}", queue="celery", tenant=job[0]), jobs
            )
        )


def measure(folder: Path, *, per_minute: int, seconds: float, workers: int = 2) -> Measured:
    """Load the limit for `seconds`, after a start that is not counted."""
    fair = per_minute * (seconds + 20) / 60 / len(CROWD)
    with ModelServer(handler=lambda body, path: Reply(items=[message("yes")], delay_seconds=0.2)) as server:
        limits = environment(server, {"requests_per_minute": per_minute})
        with Stack(folder, app=APP, environment=limits) as stack:
            start_workers(stack, workers)
            submit(stack, {tenant: round(fair * factor) for tenant, factor in CROWD.items()})
            time.sleep(5)  # until runs of all tenants have come to the limit
            began, seen = time.monotonic(), len(server.requests)
            time.sleep(seconds)
            ended = time.monotonic()
    calls = [request for request in server.requests[seen:] if request.method == "POST" and request.time < ended]
    arrivals = [(call.time, tenant_of(call.body)) for call in calls]
    return Measured(per_minute, arrivals, ended - began)


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
