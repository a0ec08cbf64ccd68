"""The part of a ledger's interface that is about runs as they happen: readers, and pieces of replies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.budget import Spent
from orchestrator.delta import Delta
from orchestrator.entries import Entry, Outcome

Position = str
"""A place in a run's log; `START` is before the first entry."""
START: Position = "0-0"

DELTAS_KEPT = 1_000
"""Pieces that are kept of each run: at twenty a second, those of the last minute."""
DELTA_SECONDS = 600.0
"""How long pieces stay after the last one of their run."""


@dataclass(frozen=True)
class Notice:
    """What a script tells the holder of its run."""

    cancel: bool = False
    """The run was cancelled: start nothing more."""
    watched: bool = False
    """Somebody wants to read the replies of this tree of runs as they are written."""
    spent: Spent | None = None
    """What the whole tree has spent, if it has a budget."""
    pause: bool = False
    """The run is paused: rest before the next model call or tool."""


class LiveLedger(ABC):
    """What is read while it happens."""

    @abstractmethod
    async def watch(self, run_id: str, *, seconds: float) -> None:
        """A reader's word, good for `seconds`, that it wants the pieces of replies in the run's whole tree."""

    @abstractmethod
    async def publish_delta(self, run_id: str, delta: Delta) -> None:
        """Show a piece of a reply. The latest `DELTAS_KEPT` of a run are kept, for `DELTA_SECONDS`."""

    @abstractmethod
    async def has_delta(self, run_id: str, position: Position) -> bool:
        """Whether the piece at a position is still there, and with it all that came after."""

    @abstractmethod
    async def follow_cancels(self, after: Position | None, *, timeout_seconds: float) -> tuple[Position, list[str]]:
        """Ids of running runs that were cancelled after a position, and the position to go on from.

        Waits for the first, then gives up. Without a position: the present one, at once.
        """

    @abstractmethod
    async def follow(
        self,
        positions: Mapping[str, Position],
        *,
        deltas: Mapping[str, Position] | None = None,
        timeout_seconds: float,
    ) -> list[tuple[str, Position, Entry | Delta]]:
        """New entries (run id, position, entry) of several runs of one tree; waits for the first, then gives up.

        With the pieces of replies after the positions `deltas`. In order of time: of one run always, and a reply
        comes after its pieces.
        """

    @abstractmethod
    async def wait_for_outcome(self, run_id: str) -> Outcome | None:
        """The run's outcome, as soon as it has one; `None` if there is no such run."""
