"""Writes down what an invocation does: entries go into the state at once, and into the ledger with the next script."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

from orchestrator.budget import Spent
from orchestrator.engine import Engine
from orchestrator.entries import ContextPatch, Entry, HandedOff, Outcome, Parked, RunInput
from orchestrator.exchange import exchange_of
from orchestrator.interrupt import Interrupt
from orchestrator.ledger.base import Claim, Ended, NewRun, Pointer, Taker
from orchestrator.ledger.entry_rules import cancelled_outcome
from orchestrator.state import RunState


class Recorder:
    """One claim's pen. Counts the log's entries, so that a script repeated after a lost connection is recognised."""

    def __init__(self, engine: Engine, claim: Claim, state: RunState, interrupt: Interrupt) -> None:
        self._engine = engine
        self._ledger = engine.ledger
        self._claim = claim
        self._state = state
        self._interrupt = interrupt
        self._size = claim.size
        self._unwritten: list[Entry] = []
        self._noted: list[Entry] = []
        self._writing = asyncio.Lock()
        self.is_watched = claim.watched
        """Whether somebody reads the run's replies as they are written, as of the last script."""
        self._spent = claim.spent
        self._counted_at = time.monotonic()

    @property
    def has_unwritten(self) -> bool:
        """Whether anything noted is not in the ledger yet."""
        return bool(self._unwritten)

    @property
    def spent(self) -> Spent | None:
        """What the whole tree has spent by the ledger's last word; its time goes on."""
        if self._spent is None:
            return None
        return replace(self._spent, seconds=self._spent.seconds + time.monotonic() - self._counted_at)

    def note(self, entry: Entry) -> None:
        """Take an entry in; it is written with the next script."""
        self._state.apply(entry)
        self._unwritten.append(entry)
        self._noted.append(entry)

    async def write(self, *, durable: bool = False) -> bool:
        """Append what is noted; True if nothing more may begin, because the run was cancelled.

        `durable`: what begins then must not begin twice, even if the server loses its power.
        """
        # Shielded: a cancel must not leave in doubt what the log holds.
        appending = asyncio.ensure_future(self._append(durable))
        # Nobody else looks at its error once a cancel has ended this wait; asyncio would log that as a mistake.
        appending.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(appending)

    async def hand_over(self, entry: HandedOff, *, task: str, queue: str | None, note: str) -> list[Pointer]:
        """Commit what is noted, and that another agent goes on."""
        entries = [*self._unwritten, entry]
        with self._interrupt.committing():
            return await self._ledger.hand_over(
                self._claim, self._size, entries, task=task, queue=queue, note=note, usage=self._state.usage
            )

    async def park(self, entry: Parked, *, children: Sequence[NewRun] = (), note: str) -> list[Pointer]:
        """Commit what is noted, and that the run waits: for its children, for people, or until a time."""
        times = [entry.until, *(question.expires_at for question in entry.questions)]
        with self._interrupt.committing():
            return await self._ledger.park(
                self._claim,
                self._size,
                [*self._unwritten, entry],
                children=children,
                note=note,
                timer_at=min((moment for moment in times if moment is not None), default=None),
                usage=self._state.usage,
            )

    async def rest(self, context: ContextPatch | None = None) -> list[Pointer]:
        """Commit what is noted, and that the run rests until it is resumed."""
        async with self._writing:
            entries = [*self._unwritten, Parked(paused=True, context=context)]
            return await self._ledger.rest(self._claim, self._size, entries, usage=self._state.usage)

    async def release(self) -> list[Pointer]:
        """Commit what is noted, and that somebody else may go on with this step."""
        async with self._writing:
            return await self._ledger.release(self._claim, self._size, self._unwritten, usage=self._state.usage)

    async def end(self, outcome: Outcome) -> Ended:
        """Commit what is noted, and the outcome; another may count. A flow that this wakes is taken, to go on here."""
        async with self._writing:
            exchange = None
            if self._state.session is not None:
                exchange = exchange_of([*self._claim.entries, *self._noted, outcome])
            taker = _find_taker(self._engine, self._claim)
            with self._interrupt.committing():
                return await self._ledger.end(
                    self._claim, self._size, self._unwritten, outcome, exchange=exchange, taker=taker
                )

    async def end_cancelled(self) -> Ended:
        """`end` for a run that was cancelled, with the reason that the ledger knows."""
        summary = await self._ledger.summary(self._claim.run_id)
        reason = summary.cancel_reason if summary else None
        return await self.end(cancelled_outcome(reason, agent=self._state.agent, usage=self._state.usage))

    async def _append(self, durable: bool) -> bool:
        async with self._writing:
            entries, self._unwritten = self._unwritten, []
            notice = await self._ledger.append(
                self._claim, self._size, entries, usage=self._state.usage, durable=durable
            )
            self._size += len(entries)
            self._spent, self._counted_at = notice.spent, time.monotonic()
        self.is_watched = notice.watched
        self._interrupt.paused = notice.pause
        self._interrupt.cancelled = self._interrupt.cancelled or notice.cancel
        return self._interrupt.cancelled


def _find_taker(engine: Engine, claim: Claim) -> Taker | None:
    """This process, if the run is a member of a flow that is loaded here, and the process does not stop."""
    first = claim.entries[0] if claim.entries else None
    call = first.call if isinstance(first, RunInput) else None
    flow = engine.registry.flows.get(call.agent) if call else None
    if flow is None or engine.shutdown.is_stopping:
        return None
    return Taker(flow.task_name, message_id=f"in-passing/{claim.run_id}/{claim.fence}", worker=claim.worker)
