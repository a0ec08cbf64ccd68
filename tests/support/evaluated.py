"""Agents and answers for flows that are evaluated without any model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from orchestrator import Agent


def agent(name: str, **options: Any) -> Agent[Any]:
    return Agent(name, **options)


def quote(name: str, given: Any) -> str:
    """An agent that answers with its name around what it was given."""
    return f"{name}({given})"


def failing(*names: str) -> Callable[[str, Any], Any]:
    """As `quote`, but these fail."""

    def answer(name: str, given: Any) -> Any:
        if name in names:
            raise ValueError(f"{name} is out of order")
        return quote(name, given)

    return answer


class Verdict(BaseModel):
    """What an evaluator says."""

    good: bool
    points: int = 0
    feedback: str = ""


# ---- refine -------------------------------------------------------------------------------------


def points_of(verdict: Verdict) -> int:
    return verdict.points
