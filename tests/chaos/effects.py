"""A file in which tools and tasks record what they did to the world: outside Redis, and safe from a killed process."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

EFFECTS_FILE = "CHAOS_EFFECTS_FILE"


@dataclass(frozen=True)
class Effect:
    """One thing that was done."""

    kind: str
    """`rerun`, `report`, or `task` for an ordinary Celery task."""
    name: str
    """The tool's or the task's."""
    subject: str
    """What it was done to: the word by which a workload's item is known."""
    key: str
    """The tool call's idempotency key, or the task's id."""
    value: str
    """Arguments."""
    at: float
    pid: int


def record(kind: str, name: str, subject: str, key: str, value: str) -> None:
    """Note an effect, at once: what one `write` has appended survives the process."""
    effect = Effect(kind, name, subject, key, value, time.time(), os.getpid())
    file = os.open(os.environ[EFFECTS_FILE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, (json.dumps(asdict(effect)) + "\n").encode())
    finally:
        os.close(file)


def read_effects(file: Path) -> Iterator[Effect]:
    """All effects so far, in order."""
    if not file.exists():
        return
    for line in file.read_text(encoding="utf-8").splitlines():
        yield Effect(**json.loads(line))
