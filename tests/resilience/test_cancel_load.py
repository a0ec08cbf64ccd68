"""A cancel reaches every run in flight, however many there are: their model calls are closed.

How long that takes is printed: `pytest -s tests/resilience/test_cancel_load.py`.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from orchestrator import create_app
from orchestrator.loop import background
from orchestrator.settings import Settings
from tests.resilience.cancel_app import NOTES
from tests.support.stack import Stack, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

RUNS = 500
PATIENCE_SECONDS = 200.0


def test_cancel_reaches_five_hundred_runs_in_flight(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    with Stack(tmp_path, app="tests.resilience.cancel_app", environment={NOTES: str(notes)}) as stack:
        stack.start_worker(concurrency=RUNS + 50)
        producer = create_app("producer", settings=Settings(redis_url=stack.url))
        client = producer.orchestrator.client  # type: ignore[attr-defined]
        runs = [client.submit("thinker", "a") for _ in range(RUNS)]

        def count(status: str) -> int:
            return sum(summary.status == status for summary in client.recent(RUNS))

        wait_until(lambda: count("running") == RUNS, "all runs are in flight", timeout_seconds=PATIENCE_SECONDS)
        began = time.time()
        client.cancel([run.id for run in runs])
        wait_until(
            lambda: all(summary.outcome for summary in client.recent(RUNS)),
            "all runs have their outcome",
            timeout_seconds=PATIENCE_SECONDS,
        )
        ended = time.time()

        kinds = {summary.outcome.kind for summary in client.recent(RUNS) if summary.outcome}
        background.run(client.ledger.close_connections())
        producer.close()
    reached = sorted(float(line) - began for line in notes.read_text(encoding="utf-8").split())
    print(
        f"\n{RUNS} model calls in flight; of their cancels, half were there after {reached[RUNS // 2]:.2f} s, ", end=""
    )
    print(f"all after {reached[-1]:.2f} s; all runs had ended after {ended - began:.2f} s")
    assert kinds == {"cancelled"}
    assert len(reached) == RUNS
