"""CPU is read as finely as the machine has it, with all of a process's threads."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest

from benchmarks.process_clock import read_process_clock
from benchmarks.usage import Meter
from tests.support.debian_parts import require_part


def burn(seconds: float) -> None:
    end_at = time.thread_time() + seconds
    while time.thread_time() < end_at:
        pass


def test_cpu_of_less_than_a_tick_is_seen() -> None:
    require_part(read_process_clock(os.getpid()) is not None, "a CPU clock of each process", "Linux has it")
    meter = Meter({"driver": [os.getpid()]})

    burn(0.003)

    assert 0.003 <= meter.read().cpu_seconds["driver"] < 1.0


def test_cpu_of_threads_that_have_ended_counts() -> None:
    meter = Meter({"driver": [os.getpid()]})

    thread = threading.Thread(target=burn, args=(0.1,))
    thread.start()
    thread.join()

    assert meter.read().cpu_seconds["driver"] >= 0.09


def test_without_a_clock_the_ticks_of_the_system_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.usage.read_process_clock", lambda pid: None)
    meter = Meter({"driver": [os.getpid()]})

    burn(0.1)

    assert meter.read().cpu_seconds["driver"] >= 0.08


def test_process_that_has_ended_has_no_clock() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()

    assert read_process_clock(child.pid) is None
