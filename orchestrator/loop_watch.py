"""Notices code that blocks the event loop, and says which: everything else in the process stands still meanwhile."""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback

from orchestrator.loop import BackgroundLoop

logger = logging.getLogger(__name__)

CHECK_SECONDS = 0.5
BLOCKED_SECONDS = 1.0
"""A model's token stream stutters by then; leases are renewed every five seconds."""


class LoopWatch(threading.Thread):
    """Asks the loop again and again for a sign of life, and logs the stack of its thread where none comes."""

    def __init__(self, watched: BackgroundLoop, *, blocked_seconds: float = BLOCKED_SECONDS) -> None:
        super().__init__(name="orchestrator-loop-watch", daemon=True)
        self._watched = watched
        self._blocked_seconds = blocked_seconds
        self._stopping = threading.Event()
        self.longest_block_seconds = 0.0
        """The longest time that the loop stood still, of those that were noticed."""

    def stop(self) -> None:
        """End soon."""
        self._stopping.set()

    def run(self) -> None:
        while not self._stopping.wait(CHECK_SECONDS):
            self._check()

    def _check(self) -> None:
        alive, asked = threading.Event(), time.monotonic()
        self._watched.loop.call_soon_threadsafe(alive.set)
        if alive.wait(self._blocked_seconds):
            return
        logger.error(
            "Something blocks the event loop: no run of this process goes on, and leases may lapse. Make the function "
            "async, or a plain function, which runs in a thread. It is here:\n%s",
            self._stack(),
        )
        while not alive.wait(1.0) and not self._stopping.is_set():
            continue
        blocked = time.monotonic() - asked
        self.longest_block_seconds = max(self.longest_block_seconds, blocked)
        logger.warning("The event loop goes on after %.1f s", blocked)

    def _stack(self) -> str:
        frame = sys._current_frames().get(self._watched.thread_id or 0)
        return "".join(traceback.format_stack(frame)) if frame else "its thread is gone"
