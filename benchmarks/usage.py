"""What processes have used: CPU time and memory by role, and what the rest of the machine did meanwhile."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psutil

from benchmarks.process_clock import read_process_clock

Pids = Mapping[str, Sequence[int]]
"""Role (`workers`, `driver`, `server`, `model`) to its processes."""


@dataclass(frozen=True)
class Usage:
    """What was used between two points in time."""

    seconds: float
    cpu_seconds: dict[str, float]
    """User and system time by role."""
    other_cores: float
    """Cores that processes outside the measurement kept busy on average."""

    def without(self, *roles: str) -> float:
        """CPU seconds of all other roles."""
        return sum(seconds for role, seconds in self.cpu_seconds.items() if role not in roles)


class Meter:
    """Measures from its making on. Children count with their parents."""

    def __init__(self, pids: Pids) -> None:
        self._pids = pids
        self._began_at, self._busy = time.monotonic(), _busy_seconds()
        self._used = self._read()

    def read(self) -> Usage:
        """What has been used so far."""
        seconds, busy = time.monotonic() - self._began_at, _busy_seconds() - self._busy
        now = self._read()
        used = {role: now[role] - before for role, before in self._used.items()}
        return Usage(seconds, used, max(0.0, busy - sum(used.values())) / seconds)

    def _read(self) -> dict[str, float]:
        return {role: sum(map(_cpu_seconds, pids)) for role, pids in self._pids.items()}


def memory_megabytes(pids: Sequence[int]) -> float:
    """Resident memory of these processes that they share with no other."""
    return sum(psutil.Process(pid).memory_full_info().uss for pid in pids) / 1e6


def _cpu_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    clock = read_process_clock(pid)
    # In the file system's times, a tick is 10 ms.
    own = times.user + times.system if clock is None else clock
    # What ended children used, such as a server that rewrote its append-only file, where the system tells.
    return own + getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)


def _busy_seconds() -> float:
    times = psutil.cpu_times()
    return sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0)
