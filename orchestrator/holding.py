"""Works on a claimed run while its lease is kept, and says what came of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from orchestrator.engine import STALE, Engine, Performed
from orchestrator.entries import Outcome
from orchestrator.interrupt import Interrupt
from orchestrator.ledger.base import CancelledMeanwhile, Claim, Fenced, Pointer


async def hold(
    engine: Engine, claim: Claim, interrupt: Interrupt, advance: Callable[[], Awaitable[Performed]]
) -> Performed:
    """What `advance` came to. The interrupt hears of cancels, of a takeover and of the process's end.

    A run that has its outcome already is not advanced. Raises `LedgerError` where the ledger cannot be reached.
    """
    if claim.outcome is not None:
        return ended(claim, claim.outcome)
    with engine.renewer.holding(claim, interrupt.hear), engine.shutdown.interrupting(interrupt.give_up):
        try:
            return await advance()
        except Fenced:
            return STALE
        except CancelledMeanwhile as cancelled:
            return ended(claim, cancelled.outcome, cancelled.pointers)


def ended(claim: Claim, outcome: Outcome, pointers: Sequence[Pointer] = ()) -> Performed:
    """The run has its outcome, which is to be delivered."""
    return Performed("ended", outcome.kind, claim, outcome, list(pointers))


def given_back(claim: Claim, pointers: Sequence[Pointer]) -> Performed:
    """The step is undone, and another process takes it."""
    return Performed("released", "given back: this worker stops", claim, pointers=list(pointers))
