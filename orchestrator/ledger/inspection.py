"""The part of a ledger that people and workers look at: which runs there are, what is overdue, who has loaded what."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from orchestrator.ledger.values import AgentRecord, RunSummary
from orchestrator.risks import Risk


class Inspection(ABC):
    """Reads that no run's way depends on."""

    @abstractmethod
    async def recent(self, limit: int, *, tag: str | None = None) -> list[RunSummary]:
        """The latest submitted runs that nobody called as a tool, newest first; with a tag, only those that have it."""

    @abstractmethod
    async def deadlines(self, limit: int) -> list[tuple[str, float]]:
        """Runs at whose deadline (Unix seconds) a worker moves them on, the earliest first."""

    @abstractmethod
    async def deadline(self, run_id: str) -> float | None:
        """One run's deadline. `None`: it has ended, or waits for others."""

    @abstractmethod
    async def announce(self, records: Sequence[AgentRecord], *, expire_seconds: float) -> None:
        """A worker's word that it has loaded these tasks, good for `expire_seconds`."""

    @abstractmethod
    async def loaded(self) -> list[AgentRecord]:
        """What live workers have loaded, and, with an old `seen_at`, what the latest dead ones had."""

    @abstractmethod
    async def risks(self) -> list[Risk]:
        """What could lose runs, as far as the server tells about itself."""

    @abstractmethod
    async def ping(self) -> None:
        """Raise `LedgerUnavailable` unless the server answers."""
