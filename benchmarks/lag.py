"""How late an event loop is: what waits on it is late by as much."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

LAG_FILE = "BENCHMARK_LAG_FILE"
"""The environment variable that names the file in which a process writes down its loop's lag."""

INTERVAL_SECONDS = 0.02


async def sample_lag(path: Path) -> None:
    """Sleep and see how late it got, for ever; a line each time: when, and milliseconds too late."""
    with path.open("a", buffering=1, encoding="utf-8") as file:
        while True:
            due_at = time.perf_counter() + INTERVAL_SECONDS
            await asyncio.sleep(INTERVAL_SECONDS)
            file.write(f"{time.time()} {1000 * (time.perf_counter() - due_at)}\n")


def read_lag(path: Path, *, since: float) -> list[float]:
    """Milliseconds too late, in order of size, of all samples after a point in time."""
    lines = (line.split() for line in path.read_text(encoding="utf-8").splitlines()[:-1])
    return sorted(float(late) for at, late in lines if float(at) >= since)
