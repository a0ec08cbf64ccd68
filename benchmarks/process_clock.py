"""A process's CPU clock: what all its threads have used, also those that have ended, in nanoseconds."""

from __future__ import annotations

import ctypes
import time


def read_process_clock(pid: int) -> float | None:
    """CPU seconds of a process, without its children; none where the system has no such clock to read."""
    find = getattr(ctypes.CDLL(None), "clock_getcpuclockid", None)
    clock = ctypes.c_int()
    if find is None or find(pid, ctypes.byref(clock)):
        return None
    try:
        return time.clock_gettime(clock.value)
    except OSError:  # The process has ended.
        return None
