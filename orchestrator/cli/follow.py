"""Follows several runs at once, with ticks between their events so that a screen can move."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence

from orchestrator.entries import Parked
from orchestrator.events import Event
from orchestrator.ledger.base import Ledger
from orchestrator.ledger.live import Position
from orchestrator.run import Run

TICK_SECONDS = 0.1


def follow(runs: Sequence[Run], *, deltas: bool = False) -> Iterator[tuple[Run, Event] | None]:
    """Every event of these runs until all have ended, and `None` whenever nothing has come for a tick.

    With `deltas`, replies come in pieces before they come whole.

    Raises what following any of them raises: `RunNotFound`, `LedgerError`.
    """
    events: queue.Queue[tuple[Run, Event] | BaseException | None] = queue.Queue()
    for run in runs:
        threading.Thread(target=_pump, args=(run, events, deltas), daemon=True, name=f"follow-{run.id}").start()
    open_runs = len(runs)
    while open_runs:
        try:
            found = events.get(timeout=TICK_SECONDS)
        except queue.Empty:
            yield None
            continue
        if isinstance(found, BaseException):
            raise found
        if found is None:
            open_runs -= 1
        else:
            yield found


def _pump(run: Run, events: queue.Queue[tuple[Run, Event] | BaseException | None], deltas: bool) -> None:
    try:
        for event in run.events(deltas=deltas):
            events.put((run, event))
        events.put(None)
    except BaseException as error:
        events.put(error)


async def read_events(ledger: Ledger, run_id: str) -> list[Event]:
    """What has happened so far in a run and in the runs below it, in order of time."""
    events: list[tuple[tuple[int, int, int], Event]] = []
    waiting, seen = [run_id], {run_id}
    for rank, source in enumerate(waiting):
        for position, entry in await ledger.entries(source):
            events.append((_order(position, rank), Event(source, position, entry)))
            children = entry.waits.values() if isinstance(entry, Parked) else ()
            waiting += [child for child in children if child not in seen]
            seen.update(children)
    return [event for _, event in sorted(events, key=lambda pair: pair[0])]


def _order(position: Position, rank: int) -> tuple[int, int, int]:
    """By milliseconds; in one millisecond callers come before those they called."""
    milliseconds, _, sequence = position.partition("-")
    return int(milliseconds), rank, int(sequence or 0)
