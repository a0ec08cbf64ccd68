"""What a run tells while it lives: its ledger's entries, in order, with time and place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from orchestrator.entries import Entry, Outcome, Parked
from orchestrator.errors import InvalidInput, RunNotFound
from orchestrator.ledger.base import START, Ledger, Position

_POLL_SECONDS = 5.0


@dataclass(frozen=True)
class Event:
    """One entry of a run or of a run below it."""

    run_id: str
    position: Position
    entry: Entry
    cursor: str = ""
    """The place behind this event, for `events(after=...)`: what has been read of the run and of those below it."""

    @property
    def type(self) -> str:
        """`input`, `invocation`, `reply`, `started`, `output`, `child`, `handoff`, `parked` or `outcome`."""
        return self.entry.type

    @property
    def at(self) -> float:
        """Unix seconds."""
        return int(self.position.split("-", 1)[0]) / 1000


async def follow_run(
    ledger: Ledger, run_id: str, *, after: str | None = None, children: bool = True
) -> AsyncIterator[Event]:
    """Every event of the run, past and to come, until its outcome, which comes last.

    With `children`, the events of agents that it calls as tools come between its own. Raises `RunNotFound`.
    """
    if await ledger.summary(run_id) is None:
        raise RunNotFound(f"There is no run {run_id!r}: never submitted, or past its retention.", run_id=run_id)
    positions = _read_cursor(after) if after else {run_id: START}
    end: tuple[Position, Entry] | None = None
    while True:
        found = await ledger.follow(positions, timeout_seconds=0 if end else _POLL_SECONDS)
        for source, position, entry in found:
            positions[source] = position
            if isinstance(entry, Outcome) and source == run_id:
                end = (position, entry)  # children may have more to tell
                continue
            if isinstance(entry, Parked) and children:
                positions.update({child: START for child in entry.waits.values() if child not in positions})
            yield Event(source, position, entry, _write_cursor(positions))
        if end and not found:
            yield Event(run_id, *end, _write_cursor(positions))
            return


def _write_cursor(positions: dict[str, Position]) -> str:
    return ";".join(f"{run_id}={position}" for run_id, position in positions.items())


def _read_cursor(cursor: str) -> dict[str, Position]:
    pairs = [part.rpartition("=") for part in cursor.split(";")]
    if not all(run_id and position for run_id, _, position in pairs):
        raise InvalidInput(f"{cursor[:80]!r} is no event's cursor.")
    return {run_id: position for run_id, _, position in pairs}
