"""Entries with which people and guardrails judge: `Decided` and `Checked`."""

from __future__ import annotations

from typing import Any, Literal

from orchestrator.entry_base import EntryBase
from orchestrator.usage import Usage


class Decided(EntryBase):
    """Somebody has decided a question, or its time has passed. Written whether the run is parked, queued or running."""

    type: Literal["decided"] = "decided"
    call_id: str
    verdict: Literal["approved", "rejected", "answered"] = "rejected"
    always: bool = False
    """Holds for all further calls of the tool in this run, too."""
    message: str | None = None
    """What the model is told of a rejected call."""
    value: Any = None
    """The answer, as JSON."""
    by: str = ""
    """Who decided, as they say themselves."""
    expired: bool = False
    """Nobody decided in time."""


class Checked(EntryBase):
    """A guardrail's verdict."""

    type: Literal["checked"] = "checked"
    stage: Literal["input", "output"]
    guardrail: str
    tripped: bool
    info: Any = None
    usage: Usage | None = None
    """What an agent spent to come to it."""
