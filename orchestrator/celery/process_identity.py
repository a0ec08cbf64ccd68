"""Which process this is, so that a neighbour on the same machine can tell that it has died."""

from __future__ import annotations

import hashlib
import os
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_DEAD_STATES = frozenset("ZX")


@dataclass(frozen=True)
class ProcessIdentity:
    """A process, as told by the one process in its place that has its number and its start time."""

    place: str
    """One boot of one machine, and one namespace of process numbers (a container has its own)."""
    pid: int
    started: str
    """In clock ticks since boot. Empty where there is no /proc: then nobody can tell."""

    def __str__(self) -> str:
        return f"{self.place}:{self.pid}:{self.started}"

    @classmethod
    def parse(cls, text: str) -> ProcessIdentity:
        """The identity that `str()` wrote."""
        place, pid, started = text.split(":")
        return cls(place, int(pid), started)

    @classmethod
    def of_this_process(cls) -> ProcessIdentity:
        """Asked anew in a forked child, which is another process."""
        pid = os.getpid()
        _, started = _read_state(pid)
        return cls(_this_place(), pid, started)

    def is_known_to_be_dead(self) -> bool:
        """True only if it ran in our place and has ended. A paused process is alive."""
        if self.place != _this_place() or not self.started:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass  # another user's, and alive
        state, started = _read_state(self.pid)
        # Nothing to read: /proc may hide other users' processes.
        return bool(started) and (started != self.started or state in _DEAD_STATES)


def _read_state(pid: int) -> tuple[str, str]:
    """A process's state and start time; empty when there is no such process, or no /proc."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "", ""
    # The second field, the program's name, may hold blanks and brackets.
    fields = stat.rpartition(")")[2].split()
    return fields[0], fields[19]


@cache
def _this_place() -> str:
    try:
        boot, namespace = _BOOT_ID.read_text(encoding="ascii"), os.readlink("/proc/self/ns/pid")
    except OSError:
        boot, namespace = "", ""
    host = socket.gethostname().replace(":", "-")
    return f"{host}-{hashlib.sha256(f'{boot}{namespace}'.encode()).hexdigest()[:8]}"
