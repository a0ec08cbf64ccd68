"""What a folder knows of the stack that runs in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.cli.child import ChildProcess
from orchestrator.cli.exits import StackError
from orchestrator.cli.orphans import end_orphans
from orchestrator.cli.plan import ProcessPlan
from orchestrator.cli.statefile import ProcessMark, StackState, StateFolder
from tests.support.stack import wait_until


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    """A folder of a stack."""
    folder = StateFolder(tmp_path / "state")
    folder.create()
    return folder


def dead_mark() -> ProcessMark:
    """A process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    mark = ProcessMark.of(process.pid)
    process.communicate(b"\n")
    return mark


def test_a_running_stack_is_found(folder: StateFolder) -> None:
    state = StackState(ProcessMark.of(os.getpid()), "shop:app", "redis://here", None, {"llm1": dead_mark()})

    folder.write(state)

    assert folder.running() == state
    assert state.orphans == {}


def test_the_state_is_for_its_owner_alone(folder: StateFolder) -> None:
    folder.write(StackState(ProcessMark.of(os.getpid()), "shop:app", "redis://:secret@here"))

    assert (folder.path / "up.json").stat().st_mode & 0o077 == 0


def test_a_stack_that_was_killed_does_not_run(folder: StateFolder) -> None:
    folder.write(StackState(dead_mark(), "shop:app", "redis://here"))

    assert folder.running() is None
    assert folder.read() is not None


def test_a_pid_that_somebody_else_has_now_is_not_taken_for_ours(folder: StateFolder) -> None:
    stranger = ProcessMark(os.getpid(), "long ago")

    folder.write(StackState(stranger, "shop:app", "redis://here", None, {"llm1": stranger}))

    assert folder.running() is None
    assert folder.read().orphans == {}  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"keeper": 1}', '{"keeper": {"pid": 1}}'])
def test_a_broken_state_file_is_no_stack(folder: StateFolder, text: str) -> None:
    (folder.path / "up.json").write_text(text)

    assert folder.read() is None


def test_one_folder_has_one_stack(folder: StateFolder) -> None:
    with folder.lock(), pytest.raises(StackError, match="just starting or stopping"), folder.lock():
        pass


def test_what_a_killed_stack_left_behind_is_named_and_ended(folder: StateFolder) -> None:
    orphan = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    folder.write(StackState(dead_mark(), "shop:app", "redis://here", None, {"llm1": ProcessMark.of(orphan.pid)}))
    said: list[str] = []

    end_orphans(folder, lambda name, text, style="": said.append(text))

    assert f"llm1 (pid {orphan.pid})" in said[0]
    assert orphan.wait(timeout=60) != 0
    assert folder.read() is None


def test_a_child_that_died_is_restarted_after_growing_pauses(folder: StateFolder) -> None:
    child = ChildProcess(ProcessPlan("llm1", [sys.executable, "-c", "raise SystemExit(3)"]), folder.logs, os.environ)
    pauses = []
    for _ in range(3):
        child.start()
        assert wait_until(child.reap, "it has ended") == "ended with exit code 3"
        pauses.append(child.schedule_restart())

    assert pauses == [1.0, 2.0, 4.0]


def test_killing_a_child_ends_what_it_started(folder: StateFolder) -> None:
    script = (
        "import subprocess, sys, time; "
        "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid, flush=True); time.sleep(60)"
    )
    child = ChildProcess(ProcessPlan("cpu", [sys.executable, "-c", script]), folder.logs, os.environ)
    child.start()
    grandchild = ProcessMark.of(int(wait_until(child.last_lines, "it has started another")[0]))

    child.kill()

    wait_until(lambda: not grandchild.is_alive, "the other one has ended")


def test_errors_in_a_log_are_shown_once(folder: StateFolder) -> None:
    child = ChildProcess(ProcessPlan("llm1", []), folder.logs, os.environ)
    child.log.write_text("[2026: INFO/MainProcess] fine\n[2026: ERROR/MainProcess] broken\n[E 26 x] bad\nhalf a li")

    assert child.read_important_lines() == ["[2026: ERROR/MainProcess] broken", "[E 26 x] bad"]
    assert child.read_important_lines() == []
