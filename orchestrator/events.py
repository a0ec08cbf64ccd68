"""What a run tells while it lives: its ledger's entries, in order, with time and place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from orchestrator.entries import Entry, Outcome, Parked
from orchestrator.errors import RunNotFound
from orchestrator.ledger.base import START, Ledger, Position

_POLL_SECONDS = 5.0


@dataclass(frozen=True)
class Event:
    """One entry of a run or of a run below it."""

    run_id: str
    position: Position
    entry: Entry

    @property
    def type(self) -> str:
        """`input`, `invocation`, `reply`, `started`, `output`, `child`, `handoff`, `parked` or `outcome`."""
        return self.entry.type

    @property
    def at(self) -> float:
        """Unix seconds."""
        return int(self.position.split("-", 1)[0]) / 1000


async def follow_run(ledger: Ledger, run_id: str, *, children: bool = True) -> AsyncIterator[Event]:
    """Every event of the run, past and to come, until its outcome. Raises `RunNotFound`.

    With `children`, the events of agents that it calls as tools come between its own.
    """
    if await ledger.summary(run_id) is None:
        raise RunNotFound(f"There is no run {run_id!r}: never submitted here, or past its retention.", run_id=run_id)
    positions: dict[str, Position] = {run_id: START}
    while True:
        for source, position, entry in await ledger.follow(positions, timeout_seconds=_POLL_SECONDS):
            positions[source] = position
            yield Event(source, position, entry)
            if isinstance(entry, Outcome) and source == run_id:
                return
            if isinstance(entry, Parked) and children:
                positions.update({child: START for child in entry.waits.values() if child not in positions})
