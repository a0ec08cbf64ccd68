"""Ends a server as a power failure would: what it had not yet brought to the disk is gone."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from orchestrator.embedded import EmbeddedValkey

FSYNC_SECONDS = 1.0
"""`appendfsync everysec`."""
SAMPLE_SECONDS = 0.02
HEARSAY_SECONDS = 0.3
"""From the server's word that something is on the disk to what a worker then did, and noted."""


class PowerLoss:
    """Watches how the server's append-only file grows, to know what a power failure would leave of it.

    `last_promise_at` tells when somebody last acted on the server's word (WAITAOF) that something is on the disk.
    """

    def __init__(self, valkey: EmbeddedValkey, last_promise_at: Callable[[], float]) -> None:
        self._valkey = valkey
        self._last_promise_at = last_promise_at
        self._sizes: deque[tuple[float, Path, int]] = deque(maxlen=round(4 * FSYNC_SECONDS / SAMPLE_SECONDS))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="power", daemon=True)
        self._thread.start()

    def strike(self) -> int:
        """Kill the server and cut its file to what it was a second ago, or when its word was last acted on.

        Returns the number of bytes lost.
        """
        at = time.time()
        self._valkey.kill()
        time.sleep(HEARSAY_SECONDS)
        safe_at = max(at - FSYNC_SECONDS, self._last_promise_at())
        file, size = next((file, size) for sampled_at, file, size in tuple(self._sizes) if sampled_at >= safe_at)
        lost = file.stat().st_size - size
        with file.open("r+b") as opened:
            opened.truncate(size)
        return lost

    def stop(self) -> None:
        """Watch no more."""
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            files = sorted((self._valkey.folder / "appendonlydir").glob("*.incr.aof"))
            if files:
                self._sizes.append((time.time(), files[-1], files[-1].stat().st_size))
