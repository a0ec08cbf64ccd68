"""One tenant has thousands of runs queued, another has one: how many of the first one's the other's has to wait for.

    python -m tests.load.queued_tenants --runs 10000

prints that, and what it would have been without lanes: the number of runs that were queued before it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from orchestrator import Orchestrator, create_app
from orchestrator.settings import Settings
from tests.load.shared_limit import APP, submit
from tests.support.stack import Stack


@dataclass(frozen=True)
class Waited:
    """What became of the one run."""

    queued_before: int
    ended_before: int
    seconds: float
    """From its submit to its answer."""

    def report(self) -> str:
        """The figures, for people."""
        return (
            f"{self.queued_before:,} runs of one tenant were queued; another tenant's one was answered after "
            f"{self.seconds:.1f} s, when {self.ended_before:,} of them had ended"
        )


def wait_behind(folder: Path, *, runs: int, queued_per_tenant: int = 100, concurrency: int = 8) -> Waited:
    """Queue the runs, start a worker, and submit the other tenant's run once it is at work."""
    environment = {"ORCHESTRATOR_MODEL_API": "rehearsal", "ORCHESTRATOR_REHEARSAL_LATENCY_SECONDS": "0.2"}
    settings = {"queued_per_tenant": queued_per_tenant}
    with Stack(folder, app=APP, environment={**environment, **_variables(settings)}) as stack:
        orchestrator = create_app("one", settings=Settings(redis_url=stack.url, **settings)).orchestrator
        submit(stack, {"crowd": runs}, **settings)
        stack.start_worker(concurrency=concurrency)
        ended_then, began = _ended(orchestrator, runs), time.monotonic()
        orchestrator.submit("asker", "alone", queue="celery", tenant="alone").result(timeout=600)
        seconds = time.monotonic() - began
        ended = _ended(orchestrator, runs)
    return Waited(runs - ended_then, ended - ended_then, seconds)


def _ended(orchestrator: Orchestrator, runs: int) -> int:
    """How many of the crowd have ended."""
    recent = orchestrator.client.recent(runs + 1)
    return sum(run.outcome is not None and run.run_id.startswith("crowd-") for run in recent)


def _variables(settings: dict[str, int]) -> dict[str, str]:
    return {f"ORCHESTRATOR_{name.upper()}": str(value) for name, value in settings.items()}


def main() -> None:
    """Measure, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tenant-load-") as folder:
        print(wait_behind(Path(folder), runs=options.runs, concurrency=64).report())


if __name__ == "__main__":
    main()
