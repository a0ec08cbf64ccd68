"""What trees of runs spend, counted in their roots, for the ledger in memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from orchestrator.budget import Budget, Quantity, Spent
from orchestrator.entries import RunOptions
from orchestrator.ledger.entry_rules import Writing, spent_from, warn_thresholds


@dataclass
class Spending:
    """A tree's spending. A tree without a budget counts nothing."""

    budget: Budget | None
    ends_at: float | None
    """When a parked run of the tree is woken at the latest."""
    counted: Counter[str] = field(default_factory=Counter)
    warned: dict[Quantity, str] = field(default_factory=dict)
    """Which run is to say that a limit is near."""

    def count_call(self) -> None:
        """A tool call begins."""
        if self.budget:
            self.counted["tool_calls"] += 1

    def count(self, run_id: str, writing: Writing, *, new_calls: int, seconds: float) -> None:
        """Count what a holder records, `seconds` after the tree's beginning."""
        if self.budget is None:
            return
        self.counted.update(writing.spent)
        self.counted["tool_calls"] += new_calls
        now = {**self.counted, "seconds": seconds * 1000}
        for limit, threshold in warn_thresholds(self.budget).items():
            if now.get(limit, 0) >= threshold:
                self.warned.setdefault(limit, run_id)

    def total(self, seconds: float) -> Spent | None:
        """What holders are told."""
        if self.budget is None:
            return None
        return spent_from(self.counted, milliseconds=seconds * 1000, warned=dict(self.warned))


def new_spending(options: RunOptions, now: float) -> Spending:
    """The spending of a tree that begins now."""
    seconds = options.budget.seconds if options.budget else None
    ends = [at for at in (options.deadline_at, now + seconds if seconds else None) if at is not None]
    return Spending(options.budget, min(ends, default=None))
