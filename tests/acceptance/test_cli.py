"""The command line for real: a folder with an app, `up` in it, and every other command beside it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.stack import REPOSITORY, wait_until, wait_until_on_disk

pytestmark = [pytest.mark.timeout(600), pytest.mark.slow]

SHOP = '''
from orchestrator import Agent, create_app, function_tool
from orchestrator.demo import Demo, DemoRun
from orchestrator.models.rehearsal import call, say


@function_tool
def stock(item: str) -> int:
    """How many there are."""
    return len(item)


@function_tool(queue="heavy")
def weigh(item: str) -> str:
    """How heavy it is."""
    return f"{len(item)} kg"


def play_clerk(seen):
    if not seen.called("stock"):
        return [call("stock", item=seen.user_text), call("weigh", item=seen.user_text)]
    return say(f"{seen.outputs['stock']} of {seen.user_text}, {seen.outputs['weigh']} each.")


clerk = Agent("clerk", tools=[stock, weigh], rehearsal=play_clerk)
porter = Agent("porter", handoffs=[clerk], rehearsal=lambda seen: call("transfer_to_clerk"))
app = create_app("shop", agents=[porter])
DEMO = Demo("A shop", porter, [DemoRun("chairs", "chair"), DemoRun("lamps", "lamp")], afterwards="There is more.")
'''


class Folder:
    """A folder with an app, and the command line in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "shop.py").write_text(SHOP, encoding="utf-8")
        hidden = ("ORCHESTRATOR_", "OPENAI_", "FLOWER_", "CELERY_", "COLUMNS")  # pytest-xdist sets COLUMNS
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
        self._environment |= {
            "PYTHONPATH": str(REPOSITORY),
            "ORCHESTRATOR_APP": "shop",
            "ORCHESTRATOR_REHEARSAL_LATENCY_SECONDS": "0.01",
        }
        self._up: subprocess.Popen[bytes] | None = None

    @property
    def state(self) -> dict[str, Any]:
        """What `up` has written down."""
        found: dict[str, Any] = json.loads((self.path / ".orchestrator" / "up.json").read_text(encoding="utf-8"))
        return found

    @property
    def screen(self) -> str:
        """What `up` has said."""
        return (self.path / "up.txt").read_text(encoding="utf-8")

    def command(self, *arguments: str, timeout: float = 120.0) -> subprocess.CompletedProcess[str]:
        """One command, to its end."""
        return subprocess.run(
            [sys.executable, "-m", "orchestrator.cli", *arguments],
            cwd=self.path,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def up(self, *options: str) -> subprocess.Popen[bytes]:
        """`up`, when it is ready."""
        with (self.path / "up.txt").open("wb") as screen:
            self._up = subprocess.Popen(
                [sys.executable, "-m", "orchestrator.cli", "up", *options],
                cwd=self.path,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=screen,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        up = self._up
        wait_until(lambda: "Ready with" in self.screen or up.poll() is not None, "up is ready", timeout_seconds=180)
        assert up.poll() is None, self.screen
        return up

    def clean_up(self) -> None:
        """End what a failed test may have left."""
        if self._up is not None and self._up.poll() is None:
            self._up.send_signal(signal.SIGINT)
            self._up.wait(timeout=90)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    """A folder in which nothing runs."""
    folder = Folder(tmp_path)
    yield folder
    folder.clean_up()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folder]:
    """A folder in which `up` runs."""
    folder = Folder(tmp_path_factory.mktemp("shop"))
    folder.up("--no-flower")
    yield folder
    folder.clean_up()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return not Path("/proc").is_dir() or "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]
    except (ProcessLookupError, FileNotFoundError):
        return False


def pids_of(state: dict[str, Any]) -> dict[str, int]:
    return {name: mark["pid"] for name, mark in state["processes"].items()}


def test_run_answers_through_several_tasks(stack: Folder) -> None:
    result = stack.command("run", "porter", "chair")

    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "5 of chair, 5 kg each."
    assert "porter: hands over to clerk" in result.stdout
    assert "weigh: step 1 on cpu@" in result.stdout


def test_a_submitted_run_can_be_watched_shown_and_listed(stack: Folder) -> None:
    run_id = stack.command("submit", "porter", "lamp").stdout.strip()

    watched = stack.command("watch", run_id, "--json")
    shown = stack.command("show", run_id)
    listed = [json.loads(line) for line in stack.command("list", "--json").stdout.splitlines()]

    assert watched.returncode == 0
    assert json.loads(watched.stdout.splitlines()[-1])["entry"]["output"] == "4 of lamp, 4 kg each."
    assert f"task {run_id}.2" in shown.stdout
    assert "4 of lamp, 4 kg each." in shown.stdout
    assert [(row["run_id"], row["state"]) for row in listed][:1] == [(run_id, "answered")]


def test_doctor_finds_everything_in_order(stack: Folder) -> None:
    # Another test may just have killed a worker.
    found: dict[str, Any] = {}
    deadline = time.monotonic() + 120
    while not found.get("ok") and time.monotonic() < deadline:
        found = json.loads(stack.command("doctor", "--json").stdout)

    assert found["ok"] is True, found["checks"]
    assert {task["task"] for task in found["tasks"]} == {"agents.clerk", "agents.porter", "tools.weigh"}
    assert all(len(task["workers"]) == 3 for task in found["tasks"])


def test_a_second_up_says_what_runs_and_where(stack: Folder) -> None:
    result = stack.command("up")

    assert result.returncode == 1
    assert str(stack.state["keeper"]["pid"]) in result.stderr
    assert stack.state["redis_url"] in result.stderr


def test_a_worker_that_dies_is_started_again(stack: Folder) -> None:
    before = pids_of(stack.state)["llm1"]

    os.kill(before, signal.SIGKILL)

    wait_until(lambda: pids_of(stack.state).get("llm1", before) != before, "there is a new one", timeout_seconds=120)
    assert "llm1     was killed by SIGKILL" in stack.screen
    assert stack.command("run", "porter", "chair").returncode == 0


def test_ctrl_c_stops_everything(folder: Folder) -> None:
    up = folder.up("--workers", "1")
    pids = pids_of(folder.state)

    up.send_signal(signal.SIGINT)

    assert up.wait(timeout=90) == 0, folder.screen
    assert set(pids) == {"llm1", "cpu", "flower", "valkey"}
    assert [name for name, pid in pids.items() if is_alive(pid)] == []
    assert folder.screen.endswith("Stopped.\n")


def test_after_a_kill_the_next_up_ends_what_was_left_and_keeps_the_runs(folder: Folder) -> None:
    up = folder.up("--workers", "1", "--no-flower")
    run_id = folder.command("run", "porter", "chair", "--run-id", "kept").returncode
    wait_until_on_disk(folder.state["redis_url"])
    left = pids_of(folder.state)
    up.kill()
    up.wait()

    folder.up("--workers", "1", "--no-flower")

    assert run_id == 0
    assert all(f"{name} (pid {pid})" in folder.screen for name, pid in left.items())
    assert [name for name, pid in left.items() if is_alive(pid)] == []
    assert "5 of chair" in folder.command("show", "kept").stdout


def test_a_worker_that_cannot_start_ends_up_with_its_log(folder: Folder) -> None:
    broken = SHOP + "\nimport sys\nif 'celery' in sys.argv[0]: raise SystemExit('the shop is closed')\n"
    (folder.path / "shop.py").write_text(broken, encoding="utf-8")

    result = folder.command("up", "--no-flower")

    assert result.returncode == 1
    assert "the shop is closed" in result.stderr
    assert not (folder.path / ".orchestrator" / "up.json").exists()


def test_the_demo_brings_its_own_stack_and_takes_it_away(folder: Folder) -> None:
    result = folder.command("demo", timeout=240)

    assert result.returncode == 0, result.stdout + result.stderr
    assert "NO REAL MODEL" in result.stdout
    assert "5 of chair, 5 kg each." in result.stdout
    assert "2 of 2 runs answered" in result.stdout
    assert "it shows 8 of these 8 tasks" in result.stdout
    assert "There is more.\n" in result.stdout
    assert not (folder.path / ".orchestrator").exists()


def test_the_demo_uses_the_stack_that_runs_here(stack: Folder) -> None:
    result = stack.command("demo", timeout=240)

    assert result.returncode == 0, result.stdout + result.stderr
    assert "Using the stack that runs here" in result.stdout
    assert "2 of 2 runs answered" in result.stdout
