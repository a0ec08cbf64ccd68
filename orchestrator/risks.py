"""`Risk`: something in a configuration under which runs, or the tasks around them, could be lost or run twice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Risk:
    """What could happen, and what to do about it."""

    text: str
    remedy: str
    is_refused: bool = False
    """It surely happens one day: a worker does not start, unless ORCHESTRATOR_ACCEPT_RISKS says so."""

    def __str__(self) -> str:
        return f"{self.text} {self.remedy}"
