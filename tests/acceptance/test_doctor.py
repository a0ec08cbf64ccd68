"""`orchestrator doctor` names runs that are stuck, and explains one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.stack import REPOSITORY, Stack

pytestmark = pytest.mark.slow

APP = "tests.acceptance.shop_app"
AGENT = "echo"


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with Stack(tmp_path, app=APP) as stack:
        stack.start_worker()
        yield stack


def orchestrator(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "orchestrator.cli", "-A", APP, *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **stack.environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def checks(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(done.stdout)["checks"]
    return found


def test_run_in_a_queue_that_nobody_takes_from_is_named_and_explained(stack: Stack) -> None:
    orchestrator(stack, "submit", AGENT, "hello", "--run-id", "stray", "--queue", "nowhere")

    everything = orchestrator(stack, "doctor", "--json")
    one = orchestrator(stack, "doctor", "stray")

    [stuck] = [check for check in checks(everything) if check["name"] == "queued"]
    assert "1 run is queued, but no worker takes from the queue `nowhere`; the first: stray" in stuck["text"]
    assert stuck["remedy"] == "Start one: orchestrator worker -Q nowhere"
    assert (everything.returncode, one.returncode) == (1, 1)
    assert "orchestrator worker -Q nowhere" in one.stdout


def test_ended_run_is_explained(stack: Stack) -> None:
    orchestrator(stack, "run", AGENT, "hello", "--run-id", "done")

    found = checks(orchestrator(stack, "doctor", "done", "--json"))

    assert [check["name"] for check in found][:1] == ["ended"]


def test_unknown_run_is_wrong_usage(stack: Stack) -> None:
    done = orchestrator(stack, "doctor", "nobody-knows-me")

    assert done.returncode == 2
    assert "There is no run 'nobody-knows-me'" in done.stderr
