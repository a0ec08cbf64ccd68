"""Works on a claimed run while its lease is kept, and says what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from orchestrator.engine import STALE, Engine, Performed
from orchestrator.entries import RunInput, SessionHistory
from orchestrator.errors import DeadlineExceeded
from orchestrator.exchange import exchange_of
from orchestrator.interrupt import Interrupt
from orchestrator.ledger.base import CancelledMeanwhile, Claim, Ended, Fenced, Pointer


async def hold(
    engine: Engine, claim: Claim, interrupt: Interrupt, advance: Callable[[], Awaitable[Performed]]
) -> Performed:
    """What `advance` came to. The interrupt hears of cancels, of a takeover and of the process's end.

    A run that has its outcome already is not advanced. Raises `LedgerError` where the ledger cannot be reached.
    """
    if claim.outcome is not None:
        return ended(claim, Ended(claim.outcome, await _leave_session(engine, claim)))
    with (
        engine.renewer.holding(claim, interrupt.hear),
        engine.shutdown.interrupting(interrupt.give_up),
        stopping_in_time(claim, interrupt),
    ):
        try:
            return await advance()
        except Fenced:
            return STALE
        except CancelledMeanwhile as cancelled:
            pointers = [*cancelled.pointers, *await _leave_session(engine, claim)]
            return ended(claim, Ended(cancelled.outcome, pointers))


@contextmanager
def stopping_in_time(claim: Claim, interrupt: Interrupt) -> Iterator[None]:
    """Interrupt the work inside the block when the run's deadline passes, or its budget's time is over."""
    options, loop = claim.options, asyncio.get_running_loop()
    times = [options.deadline_at - time.time()] if options.deadline_at else []
    if options.budget and options.budget.seconds and claim.spent:
        times.append(options.budget.seconds - claim.spent.seconds)
    timers = [loop.call_later(max(0.0, seconds), interrupt.time_up) for seconds in times]
    try:
        yield
    finally:
        for timer in timers:
            timer.cancel()


def missed_deadline(claim: Claim) -> DeadlineExceeded | None:
    """The error of a run whose deadline has passed."""
    deadline = claim.options.deadline_at
    if deadline is None or (time.time() < deadline and not _waits_in_line(claim)):
        return None
    at = datetime.fromtimestamp(deadline, UTC).isoformat(timespec="seconds")
    return DeadlineExceeded(f"The run had not ended by its deadline, {at}.", run_id=claim.run_id, deadline_at=deadline)


def ended(claim: Claim, end: Ended) -> Performed:
    """The run has its outcome."""
    return Performed("ended", end.outcome.kind, claim, end.outcome, end.pointers, is_done=end.is_done, woken=end.woken)


def given_back(claim: Claim, pointers: Sequence[Pointer]) -> Performed:
    """The step is undone, and another process takes it."""
    return Performed("released", "given back: this worker stops", claim, pointers=list(pointers))


def resting(claim: Claim, pointers: Sequence[Pointer]) -> Performed:
    """The run is paused."""
    return Performed("parked", "paused", claim, pointers=list(pointers))


async def _leave_session(engine: Engine, claim: Claim) -> list[Pointer]:
    """For an outcome that a script has set, which knows no exchange: a poisoned run, or one cancelled at a commit."""
    if not is_of_session(claim):
        return []
    entries = [entry for _, entry in await engine.ledger.entries(claim.run_id)]
    return await engine.ledger.leave_session(claim, exchange_of(entries))


def _waits_in_line(claim: Claim) -> bool:
    """Whether the run was woken without its session's floor: if it was not cancelled, its time is over."""
    return is_of_session(claim) and not any(isinstance(entry, SessionHistory) for entry in claim.entries)


def is_of_session(claim: Claim) -> bool:
    """Whether the run goes on with a session."""
    first = claim.entries[0] if claim.entries else None
    return isinstance(first, RunInput) and first.session is not None
