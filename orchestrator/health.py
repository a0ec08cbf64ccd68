"""A worker's sign of life: a small file that it rewrites every second, for process managers to look at."""

from __future__ import annotations

import json
import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

MAX_AGE_SECONDS = 15.0
"""A worker that has not written for this long is stuck: it writes every second."""


class Health(BaseModel):
    """What a worker says of itself."""

    model_config = ConfigDict(frozen=True)

    worker: str
    at: float
    """Unix seconds. The event loop was alive then."""
    in_flight: int
    """Invocations that the process is working on."""
    ledger: bool
    """Whether the ledger answered: without it, the worker is alive but not ready."""


def write_health(file: Path, health: Health) -> None:
    """Replace the file in one move, so that a reader never sees half of it."""
    temporary = file.with_suffix(".new")
    temporary.write_text(health.model_dump_json())
    temporary.replace(file)


def find_problem(file: Path, *, max_age_seconds: float, needs_ledger: bool, now: float | None = None) -> str | None:
    """What is wrong with the worker that writes this file; `None` if nothing is."""
    try:
        health = Health.model_validate(json.loads(file.read_text()))
    except FileNotFoundError:
        return f"{file} does not exist: no worker with ORCHESTRATOR_HEALTH_FILE={file} has become ready."
    except (ValueError, ValidationError):
        return f"{file} is no worker's health file."
    age = (time.time() if now is None else now) - health.at
    if age > max_age_seconds:
        return f"{health.worker} wrote {file} {age:.0f} s ago: it is stuck or gone. Restart it; its log may say why."
    if needs_ledger and not health.ledger:
        return f"{health.worker} cannot reach the ledger."
    return None
