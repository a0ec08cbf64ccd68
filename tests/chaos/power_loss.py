"""Ends a server as a power failure would: what it had not yet brought to the disk is gone."""

from __future__ import annotations

import threading
import time
from collections import deque
from pathlib import Path

from orchestrator.embedded import EmbeddedValkey

FSYNC_SECONDS = 1.0
"""`appendfsync everysec`."""
SAMPLE_SECONDS = 0.05


class PowerLoss:
    """Watches how the server's append-only file grows, to know what a power failure would leave of it."""

    def __init__(self, valkey: EmbeddedValkey) -> None:
        self._valkey = valkey
        self._sizes: deque[tuple[float, Path, int]] = deque(maxlen=round(4 * FSYNC_SECONDS / SAMPLE_SECONDS))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="power", daemon=True)
        self._thread.start()

    def strike(self) -> int:
        """Kill the server and cut its file to what it was a second ago. Returns the number of bytes lost."""
        at = time.monotonic()
        self._valkey.kill()
        _, file, size = [sample for sample in self._sizes if sample[0] <= at - FSYNC_SECONDS][-1]
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
                self._sizes.append((time.monotonic(), files[-1], files[-1].stat().st_size))
