"""The part of a ledger's interface that is about sessions: conversations over many runs, one at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from orchestrator.entries import Item

if TYPE_CHECKING:
    from orchestrator.ledger.base import Claim, Pointer

IfBusy = Literal["queue", "reject", "interrupt"]
RUNS_KEPT = 100
"""Ids of its latest runs that a session remembers."""


@dataclass(frozen=True)
class Joining:
    """How a run joins its session."""

    session: str
    if_busy: IfBusy = "queue"
    """While another run has the floor: wait behind all others, be refused, or wait before all others."""
    keeps_agent: bool = True
    """Go on with the agent who had the conversation last."""
    keep_last: int | None = None
    """Exchanges that the run is given, the latest ones; `None`: all."""
    compacts: bool = False
    """The run's answer takes the place of all exchanges but the `keep_last` latest ones."""


@dataclass(frozen=True)
class SessionRecord:
    """A session at one glance."""

    session: str
    floor: str | None
    """The run that has the floor."""
    line: list[str]
    """Runs that wait for it, the next one first."""
    runs: list[str]
    """The latest runs, the oldest first."""
    task: str | None
    """Of the agent that had the conversation last."""
    exchanges: int
    updated_at: float

    @property
    def agent(self) -> str | None:
        """The agent that had the conversation last."""
        return self.task.partition(".")[2] if self.task else None


class SessionLedger(ABC):
    """Sessions. A run joins with `start`, and leaves its exchange with `end`."""

    @abstractmethod
    async def leave_session(self, claim: Claim, exchange: Sequence[Item]) -> list[Pointer]:
        """Let a run whose outcome was set without its exchange leave; the pointer of the next in line.

        A run that has left already changes nothing.
        """

    @abstractmethod
    async def session(self, session: str) -> SessionRecord | None:
        """The session at one glance, or `None`."""

    @abstractmethod
    async def exchanges(self, session: str, last: int | None = None) -> list[list[Item]]:
        """What each run has added, the latest ones, the oldest first."""

    @abstractmethod
    async def add_exchange(self, session: str, items: Sequence[Item]) -> None:
        """Add items that no run has added."""

    @abstractmethod
    async def pop_exchange(self, session: str) -> list[Item] | None:
        """Take the latest exchange off."""

    @abstractmethod
    async def clear_session(self, session: str) -> None:
        """Forget all exchanges and the agent. A run at work goes on, and adds its exchange in the end."""
