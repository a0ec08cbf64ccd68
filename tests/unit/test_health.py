"""A worker's sign of life, and the watch over its event loop."""

from __future__ import annotations

import logging
import re
import time
from pathlib import Path

import pytest

from orchestrator.health import Health, find_problem, write_health
from orchestrator.loop import BackgroundLoop
from orchestrator.loop_watch import LoopWatch


def health(at: float = 100.0, *, ledger: bool = True) -> Health:
    return Health(worker="llm@host", at=at, in_flight=3, ledger=ledger)


def test_fresh_file_means_alive_and_ready(tmp_path: Path) -> None:
    write_health(tmp_path / "health", health())

    assert find_problem(tmp_path / "health", max_age_seconds=15, needs_ledger=True, now=101.0) is None


@pytest.mark.parametrize(
    ("written", "says"),
    [
        (None, "does not exist"),
        ("junk", "no worker's health file"),
        ("{}", "no worker's health file"),
        (health(80.0).model_dump_json(), "wrote .* 20 s ago"),
        (health(ledger=False).model_dump_json(), "cannot reach the ledger"),
    ],
)
def test_problem_is_named(tmp_path: Path, written: str | None, says: str) -> None:
    file = tmp_path / "health"
    if written is not None:
        file.write_text(written)

    problem = find_problem(file, max_age_seconds=15, needs_ledger=True, now=100.0)

    assert problem is not None
    assert re.search(says, problem)


def test_worker_without_ledger_is_alive(tmp_path: Path) -> None:
    write_health(tmp_path / "health", health(ledger=False))

    assert find_problem(tmp_path / "health", max_age_seconds=15, needs_ledger=False, now=100.0) is None


def test_blocked_loop_is_logged_with_the_culprit(caplog: pytest.LogCaptureFixture) -> None:
    loop = BackgroundLoop()
    watch = LoopWatch(loop, blocked_seconds=0.1)

    def hog_the_loop() -> None:
        deadline = time.monotonic() + 60
        while not caplog.text and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.3)

    with caplog.at_level(logging.WARNING):
        loop.loop.call_soon_threadsafe(hog_the_loop)
        watch._check()
    loop.close()

    assert "hog_the_loop" in caplog.text
    assert watch.longest_block_seconds > 0.3


def test_idle_loop_is_not_reported(caplog: pytest.LogCaptureFixture) -> None:
    loop = BackgroundLoop()

    LoopWatch(loop)._check()
    loop.close()

    assert caplog.text == ""
