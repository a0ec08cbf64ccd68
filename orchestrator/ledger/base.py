"""The interface of a ledger: atomic scripts that move a run, and reads.

The rules are those of docs/protocol.md. Scripts raise `Fenced` where the caller no longer holds the
run: it must stop, publish nothing and deliver nothing. Every script may be called again after a lost
connection: it then reports what its first execution did, or raises `Fenced`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from orchestrator.entries import Decided, Entry, EntryBase, Item, Outcome
from orchestrator.ledger.inspection import Inspection
from orchestrator.ledger.live import START, LiveLedger, Notice, Position
from orchestrator.ledger.sessions import SessionLedger
from orchestrator.ledger.values import (
    CANCELS_KEPT,
    RUNS_KEPT,
    AgentRecord,
    Claim,
    Ended,
    LedgerSettings,
    NewRun,
    Pointer,
    Renewal,
    RunSummary,
    Status,
    Taker,
)
from orchestrator.usage import Usage

__all__ = [
    "CANCELS_KEPT",
    "RUNS_KEPT",
    "AgentRecord",
    "CancelledMeanwhile",
    "Claim",
    "Ended",
    "Fenced",
    "Ledger",
    "LedgerSettings",
    "NewRun",
    "Pointer",
    "Renewal",
    "RunSummary",
    "Status",
    "Taker",
]


class Fenced(Exception):
    """Another worker holds the run now."""


class CancelledMeanwhile(Exception):
    """The run was cancelled before it moved, and has ended instead: publish `pointers`, deliver `outcome`."""

    def __init__(self, outcome: Outcome, pointers: list[Pointer]) -> None:
        super().__init__("The run was cancelled.")
        self.outcome = outcome
        self.pointers = pointers


class Ledger(LiveLedger, SessionLedger, Inspection):
    """Where runs live. One instance serves one event loop."""

    settings: LedgerSettings

    # ---- scripts ----------------------------------------------------------------------------

    @abstractmethod
    async def start(self, run: NewRun) -> Pointer | None:
        """Create the run, queued at step 1. Repeated: its pointer while it is queued at step 1, else `None`.

        In the line of a session it has none. Raises `RunConflict` when a run with another digest has the id, and
        `SessionBusy` where the run does not want to wait.
        `None`, too, while its lane is full: it is held back, and published when another run of the lane is claimed.
        """

    @abstractmethod
    async def claim(
        self,
        run_id: str,
        step: int,
        *,
        message_id: str,
        worker: str,
        new: NewRun | None = None,
    ) -> Claim | None:
        """Become the holder of the run at `step`. `None`: stale, there is nothing to do.

        `new` creates the run first if it does not exist (step 1 of a canvas member).
        """

    @abstractmethod
    async def append(
        self,
        claim: Claim,
        at: int,
        entries: Sequence[EntryBase],
        *,
        started: Sequence[str] = (),
        settled: Sequence[str] = (),
        usage: Usage | None = None,
        durable: bool = False,
    ) -> Notice:
        """Record entries at log size `at`, and count what they say the tree has spent. After a cancel, start nothing.

        `started` and `settled` name call ids besides those of `Started` and `Output` entries; `usage` is what the run
        has spent; `durable`: to the disk, if the server can tell. Raises `Fenced`, `ValueError` for a settled call.
        """

    @abstractmethod
    async def hand_over(
        self,
        claim: Claim,
        at: int,
        entries: Sequence[EntryBase],
        *,
        task: str,
        queue: str | None,
        note: str,
        usage: Usage | None = None,
    ) -> list[Pointer]:
        """Commit: another agent takes the next step.

        A cancelled run is ended instead, with `entries` except the `HandedOff`: raises `CancelledMeanwhile`.
        """

    @abstractmethod
    async def park(
        self,
        claim: Claim,
        at: int,
        entries: Sequence[EntryBase],
        *,
        children: Sequence[NewRun],
        note: str,
        settled: Sequence[str] = (),
        timer_at: float | None = None,
        usage: Usage | None = None,
    ) -> list[Pointer]:
        """Commit: wait for the children (created queued here), for the other waits and the questions of the `Parked`,
        at the latest until `timer_at` (Unix seconds).

        More children without an answer than the `Parked` allows queue the run at once, while others go on.
        A child that has ended reports at once, and a question that was decided meanwhile queues the run at once.
        The timer wakes the run without an entry and drops the open waits. A cancelled run is ended instead, with
        `entries` except the `Parked`: raises `CancelledMeanwhile`. A child's id with another digest: `RunConflict`.
        """

    @abstractmethod
    async def release(
        self, claim: Claim, at: int, entries: Sequence[EntryBase], *, usage: Usage | None = None
    ) -> list[Pointer]:
        """Give the step back undone: it is queued again, and this claim does not count towards poison."""

    @abstractmethod
    async def end(
        self,
        claim: Claim,
        at: int,
        entries: Sequence[EntryBase],
        outcome: Outcome,
        *,
        exchange: Sequence[Item] | None = None,
        taker: Taker | None = None,
    ) -> Ended:
        """Commit the outcome; with its exchange, a run leaves its session's floor. Another outcome counts if one was
        set, or the run is cancelled. Started calls without output get the output "unknown".

        The run stays running until `close`. One that has a parent reports to it and is done; `taker` takes the parent.
        """

    @abstractmethod
    async def close(self, claim: Claim) -> None:
        """The outcome is delivered: the run is done and expires after the retention."""

    @abstractmethod
    async def decide(self, run_id: str, decided: Decided, *, decision_id: str) -> list[Pointer]:
        """Record what somebody decided about a question, whatever the run is doing; a parked run is queued.

        Repeated under the same `decision_id`, it does nothing more. Raises `RunNotFound`, or a `DecisionError`.
        """

    @abstractmethod
    async def cancel(self, run_id: str, *, reason: str | None = None) -> list[Pointer]:
        """Flag the run, known or not, and all below its open waits; queue parked ones. Too late after an outcome.

        The first reason that is given stays. Holders are told through `follow_cancels`.
        """

    @abstractmethod
    async def pause(self, run_id: str, *, request_id: str) -> None:
        """Let the run, and all below its waits, rest at their next step. `request_id` makes a repetition known.

        Raises `WrongRunState` for one that is paused, has ended or is cancelled, and `RunNotFound`.
        """

    @abstractmethod
    async def resume(self, run_id: str, *, request_id: str) -> list[Pointer]:
        """Let the run, and all below its waits, go on. Raises `WrongRunState` unless it is paused; `RunNotFound`."""

    @abstractmethod
    async def rest(
        self, claim: Claim, at: int, entries: Sequence[EntryBase], *, usage: Usage | None = None
    ) -> list[Pointer]:
        """Commit: a paused run parks until it is resumed; one that was resumed meanwhile is queued again.

        A cancelled run is ended instead, with `entries` except the `Parked`: raises `CancelledMeanwhile`.
        """

    @abstractmethod
    async def renew(self, held: Sequence[tuple[str, int]]) -> list[Renewal]:
        """Extend the leases of (run id, fence) pairs.

        `cancel` asks to stop the work; a run with only its delivery left is `held`, cancelled or not.
        """

    @abstractmethod
    async def reconcile(self, limit: int) -> list[Pointer]:
        """Move on runs whose deadline has passed, those in a queue last: what has to be published again."""

    @abstractmethod
    async def hasten(self, sleeping: Sequence[tuple[str, int]]) -> None:
        """Let the timer of runs that park at these steps (run id, step), or have parked there, pass now."""

    # ---- reads ------------------------------------------------------------------------------

    @abstractmethod
    async def summary(self, run_id: str) -> RunSummary | None:
        """The run at one glance, or `None`."""

    @abstractmethod
    async def entries(self, run_id: str, after: Position = START) -> list[tuple[Position, Entry]]:
        """The log after a position."""

    @abstractmethod
    async def close_connections(self) -> None:
        """Let go of the server."""
