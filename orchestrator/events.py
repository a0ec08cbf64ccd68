"""What a run tells while it lives: its ledger's entries, and pieces of replies as they are written, in order."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from orchestrator.delta import Delta
from orchestrator.entries import Entry, Outcome, Parked, dump_entry
from orchestrator.errors import CursorExpired, InvalidInput, RunNotFound
from orchestrator.ledger.base import Ledger
from orchestrator.ledger.live import START, Position

Kind = Literal["run", "agent", "turn", "tool", "handoff", "approval", "guardrail", "delta"]
KINDS: Mapping[str, Kind] = {
    "input": "run",
    "history": "run",
    "parked": "run",
    "budget": "run",
    "outcome": "run",
    "invocation": "agent",
    "reply": "turn",
    "started": "tool",
    "output": "tool",
    "child": "tool",
    "handoff": "handoff",
    "decided": "approval",
    "checked": "guardrail",
    "delta": "delta",
}
"""What an event is about, by its type."""

_POLL_SECONDS = 5.0
_WATCH_SECONDS = 15.0
"""How long after its last sign a reader counts as gone."""
_DELTAS = "+deltas"
"""Behind a run's id in a cursor: the place in the pieces of its replies. No run's id has a plus."""


@dataclass(frozen=True)
class Event:
    """Something that happened in a run or in a run below it."""

    run_id: str
    position: Position
    entry: Entry | Delta
    cursor: str = ""
    """The place behind this event, for `events(after=...)`: what has been read of the run and of those below it."""

    @property
    def type(self) -> str:
        """The entry's type, such as `reply` or `outcome`, or `delta` for a piece of a reply."""
        return self.entry.type

    @property
    def kind(self) -> Kind:
        """What it is about: `run`, `agent`, `turn`, `tool`, `handoff`, `approval`, `guardrail` or `delta`."""
        return KINDS[self.type]

    @property
    def at(self) -> float:
        """Unix seconds."""
        return int(self.position.split("-", 1)[0]) / 1000

    def to_dict(self) -> dict[str, Any]:
        """The event as JSON, for a browser or a log."""
        is_delta = isinstance(self.entry, Delta)
        entry = self.entry.model_dump() if is_delta else json.loads(dump_entry(self.entry))  # type: ignore[arg-type]
        return {
            "run_id": self.run_id,
            "kind": self.kind,
            "type": self.type,
            "at": self.at,
            "position": self.position,
            "cursor": self.cursor,
            "entry": entry,
        }


async def follow_run(
    ledger: Ledger, run_id: str, *, after: str | None = None, children: bool = True, deltas: bool = False
) -> AsyncIterator[Event]:
    """Every event of the run, past and to come, until its outcome, which comes last.

    With `children`, the events of agents that it calls as tools come between its own; with `deltas`, the pieces of
    replies. Raises `RunNotFound`, and `CursorExpired` where events behind `after` are gone.
    """
    reader = _Reader(ledger, run_id, after, deltas=deltas)
    await reader.check()
    end: tuple[Position, Entry] | None = None
    while True:
        found = await reader.read(timeout_seconds=0 if end or reader.is_late else _POLL_SECONDS)
        for source, position, entry in found:
            reader.note(source, position, entry)
            if isinstance(entry, Outcome) and source == run_id:
                end = (position, entry)  # children may have more to tell
                continue
            if isinstance(entry, Parked) and children:
                reader.add(entry.waits.values())
            yield Event(source, position, entry, reader.cursor)
        if end and not found:
            yield Event(run_id, *end, reader.cursor)
            return
        if reader.is_late and not found:
            return  # the outcome was read before


class _Reader:
    """How far one reader has come in the runs of a tree."""

    def __init__(self, ledger: Ledger, run_id: str, after: str | None, *, deltas: bool) -> None:
        self._ledger = ledger
        self._run_id = run_id
        self._after = after
        self._wants_deltas = deltas
        self._watched_at = -_WATCH_SECONDS
        self.is_late = False
        """Whether the run had ended before: everything is there to be read."""
        places = _read_cursor(after) if after else {}
        self._positions = {name: at for name, at in places.items() if not name.endswith(_DELTAS)} or {run_id: START}
        self._deltas = {name: places.get(name + _DELTAS, START) for name in self._positions} if deltas else {}

    @property
    def cursor(self) -> str:
        """All that has been read."""
        read = {name + _DELTAS: at for name, at in self._deltas.items() if at != START}
        return ";".join(f"{name}={at}" for name, at in {**self._positions, **read}.items())

    async def check(self) -> None:
        """Raise unless there is a run, and all that comes behind the cursor."""
        summary = await self._ledger.summary(self._run_id)
        if summary is None:
            if self._after:
                raise CursorExpired(f"Run {self._run_id!r} is past its retention, and its events with it.")
            raise RunNotFound(f"There is no run {self._run_id!r}: never submitted, or past its retention.")
        self.is_late = summary.outcome is not None
        for name, at in self._deltas.items():
            if at != START and not await self._ledger.has_delta(name, at):
                raise CursorExpired(
                    f"Pieces of replies of run {name!r} that came after this cursor are gone. Read without `after=`: "
                    "whole replies are kept as long as the run."
                )

    async def read(self, *, timeout_seconds: float) -> list[tuple[str, Position, Entry | Delta]]:
        """What is new. Says first that somebody reads, so that workers take the trouble to publish pieces."""
        if self._wants_deltas and time.monotonic() - self._watched_at > _WATCH_SECONDS / 3:
            await self._ledger.watch(self._run_id, seconds=_WATCH_SECONDS)
            self._watched_at = time.monotonic()
        return await self._ledger.follow(self._positions, deltas=self._deltas, timeout_seconds=timeout_seconds)

    def note(self, run_id: str, position: Position, entry: Entry | Delta) -> None:
        """This has been read."""
        places = self._deltas if isinstance(entry, Delta) else self._positions
        places[run_id] = position

    def add(self, run_ids: Iterable[str]) -> None:
        """Read these runs, too."""
        new = {run_id: START for run_id in run_ids if run_id not in self._positions}
        self._positions |= new
        if self._wants_deltas:
            self._deltas |= new


def _read_cursor(cursor: str) -> dict[str, Position]:
    pairs = [part.rpartition("=") for part in cursor.split(";")]
    if not all(run_id and position for run_id, _, position in pairs):
        raise InvalidInput(f"{cursor[:80]!r} is no event's cursor.")
    return {run_id: position for run_id, _, position in pairs}
