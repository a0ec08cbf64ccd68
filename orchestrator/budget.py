"""Budgets: what a run and all below it may spend, and what follows from what they have spent. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

Quantity = Literal["tokens", "money", "turns", "tool_calls", "seconds"]
QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)
MICROS = 1_000_000
"""Ledgers count money in millionths, because they add whole numbers."""


class Budget(BaseModel):
    """Limits for a run and all below it together. A limit that is not given does not exist."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tokens: int | None = Field(default=None, gt=0)
    """Input and output, of all models."""
    money: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """In the currency of `ORCHESTRATOR_PRICES`."""
    turns: int | None = Field(default=None, gt=0)
    """Model calls."""
    tool_calls: int | None = Field(default=None, gt=0)
    """Calls of tools and of agents as tools."""
    seconds: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Time since the run was submitted, waiting included."""
    warn_at: float = Field(default=0.8, gt=0, le=1)
    """The part of a limit at which the run gets a warning."""
    tell_agent: bool = False
    """Whether the agent is told of the warning, in its instructions."""
    on_limit: Literal["fail", "answer"] = "fail"
    """At a limit: end with `BudgetExceeded`, or let the agent answer once more, without tools."""

    @model_validator(mode="after")
    def _has_a_limit(self) -> Self:
        if not dict(self.limits()):
            raise ValueError(f"a budget needs a limit: {', '.join(QUANTITIES)}")
        return self

    def limits(self) -> Iterator[tuple[Quantity, float]]:
        """The limits that were given."""
        for name in QUANTITIES:
            value = getattr(self, name)
            if value is not None:
                yield name, value


@dataclass(frozen=True)
class Spent:
    """What a run and all below it have spent, as the ledger counts it."""

    tokens: int = 0
    money: float = 0.0
    turns: int = 0
    tool_calls: int = 0
    seconds: float = 0.0
    warned: Mapping[Quantity, str] = field(default_factory=dict)
    """Limits that are near: the run which is to say so, by limit."""

    def of(self, limit: Quantity) -> float:
        """What is spent of one limit's kind."""
        amount: float = getattr(self, limit)
        return amount


def find_exceeded(budget: Budget, spent: Spent, *, tool_calls: int | None = None) -> Quantity | None:
    """The limit that forbids to begin something: so many tool calls more, or, without a number, a model call."""
    for name, limit in budget.limits():
        if name == "tool_calls":
            forbids = tool_calls is not None and spent.tool_calls + tool_calls > limit
        elif name == "turns":
            forbids = tool_calls is None and spent.turns >= limit
        else:
            forbids = spent.of(name) >= limit
        if forbids:
            return name
    return None


def find_near(budget: Budget, spent: Spent) -> list[Quantity]:
    """The limits of which `warn_at` is spent."""
    return [name for name, limit in budget.limits() if spent.of(name) >= limit * budget.warn_at]
