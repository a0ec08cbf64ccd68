"""The floor of a session: three runs join, wait in line, have the floor one at a time, and leave.

What `model.py` checks of one run is taken for granted here: a run that is queued or running is moved on by somebody
until its outcome is delivered. Checked in every reachable state:
  F1  at most one run is at work with the floor
  F2  each exchange is added once
And from every state all runs can end without another fault: nobody is left in line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, TypeVar

from tests.protocol.search import HOLDS, NEVER_ENDS
from tests.protocol.state import Violation

T = TypeVar("T")
Move = tuple[str, bool, "Hall"]


class Status(IntEnum):
    """Where a run is."""

    NONE = 0
    LINE = 1
    QUEUED = 2
    RUNNING = 3
    ENDED = 4
    """It has its outcome, which is to be delivered."""
    DONE = 5
    LOST = 6
    """The server has lost its data."""


NOBODY = -1
RUNS = 3


class Hall(NamedTuple):
    """One state of a session and its runs."""

    status: tuple[Status, ...] = (Status.NONE,) * RUNS
    cancel: tuple[bool, ...] = (False,) * RUNS
    floor: int = NOBODY
    line: tuple[int, ...] = ()
    owed: tuple[int, ...] = ()
    """Runs whose worker has set the outcome and has yet to leave the floor, where that is another script."""
    exchanges: tuple[int, ...] = (0,) * RUNS
    crashes: int = 0
    losses: int = 0
    cancels: int = 0

    def __str__(self) -> str:
        runs = [f"{number} {status.name.lower()}" for number, status in enumerate(self.status)]
        return f"=> {', '.join(runs)}; floor {self.floor}; line {list(self.line)}; exchanges {list(self.exchanges)}"

    def put(self, run: int, status: Status) -> Hall:
        """The run's status, changed."""
        return self._replace(status=_set(self.status, run, status))


@dataclass(frozen=True)
class FloorRules:
    """The protocol as written in docs/protocol.md. A row of the table changes some of it."""

    crashes: int = 1
    losses: int = 0
    cancels: int = 1
    leaves_with_end: bool = True
    """The script that sets the outcome gives the floor on; else the worker does, in another script."""
    leaves_on_delivery: bool = True
    """Whoever delivers an outcome lets the run leave if it has not left."""
    checks_floor: bool = True
    """A run leaves only if it has the floor: repeated, it changes nothing."""
    looks_after_line: bool = True
    """Runs in line have a deadline at which the line is moved if nobody has the floor."""


class FloorModel:
    """The transition system of one row."""

    def __init__(self, rules: FloorRules) -> None:
        self.rules = rules

    def initial(self) -> Hall:
        """Nobody has submitted yet."""
        return Hall(crashes=self.rules.crashes, losses=self.rules.losses, cancels=self.rules.cancels)

    def is_finished(self, hall: Hall) -> bool:
        """All runs are done, but for those whose data was lost."""
        return all(status in (Status.DONE, Status.LOST) for status in hall.status)

    def check(self, hall: Hall) -> None:
        """F1 and F2."""
        working = [
            run
            for run, status in enumerate(hall.status)
            if status in (Status.QUEUED, Status.RUNNING) and not hall.cancel[run]
        ]
        if len(working) > 1:
            raise Violation(f"F1 runs {working} are at work at once")
        if max(hall.exchanges) > 1:
            raise Violation("F2 an exchange was added twice")

    def moves(self, hall: Hall) -> Iterator[Move]:
        """All that can happen."""
        for run, status in enumerate(hall.status):
            yield from self._moves_of(hall, run, status)

    def _moves_of(self, hall: Hall, run: int, status: Status) -> Iterator[Move]:
        match status:
            case Status.NONE:
                yield f"{run} joins", True, self._move_line(hall.put(run, Status.LINE)._replace(line=(*hall.line, run)))
            case Status.LINE if self.rules.looks_after_line and hall.floor in (NOBODY, *_lost(hall)):
                yield f"the deadline of {run} in line passes", True, self._move_line(hall)
            case Status.QUEUED:
                yield f"{run} is claimed", True, hall.put(run, Status.RUNNING)
            case Status.RUNNING:
                yield f"{run} ends", True, self._end(hall, run)
                yield from self._crash(hall, run, Status.QUEUED)
            case Status.ENDED:
                yield from self._deliver(hall, run)
        yield from self._faults(hall, run, status)

    def _end(self, hall: Hall, run: int) -> Hall:
        ended = hall.put(run, Status.ENDED)
        if self.rules.leaves_with_end:
            return self._leave(ended, run)
        return ended._replace(owed=(*ended.owed, run))

    def _deliver(self, hall: Hall, run: int) -> Iterator[Move]:
        if run in hall.owed:
            left = tuple(other for other in hall.owed if other != run)
            yield f"{run} leaves, in a script of its own", True, self._leave(hall, run)._replace(owed=left)
            if hall.crashes:
                yield f"CRASH before {run} leaves", False, hall._replace(owed=left, crashes=hall.crashes - 1)
            return
        left_now = self._leave(hall, run) if self.rules.leaves_on_delivery else hall
        yield f"the outcome of {run} is delivered", True, left_now.put(run, Status.DONE)
        if hall.crashes:
            yield f"CRASH in the delivery of {run}", False, left_now._replace(crashes=hall.crashes - 1)

    def _faults(self, hall: Hall, run: int, status: Status) -> Iterator[Move]:
        if hall.losses and status in (Status.QUEUED, Status.RUNNING):
            yield f"LOSS of {run}", False, hall.put(run, Status.LOST)._replace(losses=hall.losses - 1)
        if hall.cancels and status in (Status.LINE, Status.QUEUED, Status.RUNNING) and not hall.cancel[run]:
            cancelled = hall._replace(cancel=_set(hall.cancel, run, True), cancels=hall.cancels - 1)
            yield f"CANCEL {run}", False, cancelled.put(run, Status.QUEUED) if status == Status.LINE else cancelled

    def _crash(self, hall: Hall, run: int, back_to: Status) -> Iterator[Move]:
        if hall.crashes:
            yield f"CRASH of the worker of {run}", False, hall.put(run, back_to)._replace(crashes=hall.crashes - 1)

    # ---- scripts ------------------------------------------------------------------------------

    def _leave(self, hall: Hall, run: int) -> Hall:
        if hall.floor != run:
            hall = hall._replace(line=tuple(other for other in hall.line if other != run))
            if self.rules.checks_floor:
                return hall
        hall = hall._replace(exchanges=_set(hall.exchanges, run, hall.exchanges[run] + 1))
        return self._move_line(hall._replace(floor=NOBODY))

    def _move_line(self, hall: Hall) -> Hall:
        while hall.line and hall.floor in (NOBODY, *_lost(hall)):
            first, *rest = hall.line
            hall = hall._replace(line=tuple(rest), floor=NOBODY)
            if hall.status[first] == Status.LINE:
                hall = hall.put(first, Status.QUEUED)._replace(floor=first)
        return hall


def _lost(hall: Hall) -> tuple[int, ...]:
    """Runs that hold nothing any more, whatever the session says."""
    return tuple(run for run, status in enumerate(hall.status) if status in (Status.DONE, Status.LOST))


def _set(values: tuple[T, ...], index: int, value: T) -> tuple[T, ...]:
    return (*values[:index], value, *values[index + 1 :])


FLOOR_ROWS: list[tuple[str, FloorRules, str]] = [
    ("floor", FloorRules(crashes=2), HOLDS),
    ("floor-cancels", FloorRules(crashes=1, cancels=3), HOLDS),
    ("floor-loss", FloorRules(losses=2), HOLDS),
    ("floor-left-on-delivery", FloorRules(leaves_with_end=False), HOLDS),
    ("floor-not-left", FloorRules(leaves_with_end=False, leaves_on_delivery=False, looks_after_line=False), NEVER_ENDS),
    ("floor-unchecked", FloorRules(checks_floor=False, cancels=0), "F"),
    ("floor-loss-unnoticed", FloorRules(losses=1, looks_after_line=False, cancels=0), NEVER_ENDS),
]
"""Name, rules and verdict."""
