"""A process hears of its runs' cancels at once, and keeps their leases."""

from __future__ import annotations

import asyncio

from orchestrator.entries import RunInput
from orchestrator.errors import LedgerUnavailable
from orchestrator.ledger.base import Claim, LedgerSettings, NewRun, Renewal
from orchestrator.ledger.live import Position
from orchestrator.ledger.memory import MemoryLedger
from orchestrator.renewer import Renewer

SECONDS = 60.0


class DeafLedger(MemoryLedger):
    """A ledger that cannot tell of cancels."""

    async def follow_cancels(self, after: Position | None, *, timeout_seconds: float) -> tuple[Position, list[str]]:
        raise LedgerUnavailable("away")


async def hold(ledger: MemoryLedger, run_id: str = "run") -> Claim:
    entry = RunInput(agent="a", items=[])
    new = NewRun(run_id=run_id, task="agents.a", digest="d", entry=entry)
    claimed = await ledger.claim(run_id, 1, message_id="m", worker="w", new=new)
    assert claimed is not None
    return claimed


async def test_a_cancel_is_heard_long_before_the_next_renewal() -> None:
    ledger = MemoryLedger(LedgerSettings(lease_seconds=3600))
    renewer, heard = Renewer(ledger), asyncio.Queue[Renewal]()
    with renewer.holding(await hold(ledger), heard.put_nowait), renewer.holding(await hold(ledger, "other"), print):
        await asyncio.sleep(0.05)

        await ledger.cancel("run")

        assert await asyncio.wait_for(heard.get(), SECONDS) == "cancel"


async def test_a_cancel_before_anybody_listened_is_heard_too() -> None:
    ledger = MemoryLedger(LedgerSettings(lease_seconds=3600))
    claimed = await hold(ledger)
    await ledger.cancel("run")
    renewer, heard = Renewer(ledger), asyncio.Queue[Renewal]()

    with renewer.holding(claimed, heard.put_nowait):
        assert await asyncio.wait_for(heard.get(), SECONDS) == "cancel"


async def test_a_cancel_that_is_not_told_is_heard_with_a_renewal() -> None:
    ledger = DeafLedger(LedgerSettings(lease_seconds=1.2))
    renewer, heard = Renewer(ledger), asyncio.Queue[Renewal]()
    with renewer.holding(await hold(ledger), heard.put_nowait):
        await ledger.cancel("run")

        assert await asyncio.wait_for(heard.get(), SECONDS) == "cancel"


async def test_a_run_that_was_let_go_is_not_told() -> None:
    ledger = MemoryLedger(LedgerSettings(lease_seconds=3600))
    renewer, heard = Renewer(ledger), asyncio.Queue[Renewal]()
    with renewer.holding(await hold(ledger, "other"), print):
        with renewer.holding(await hold(ledger), heard.put_nowait):
            await asyncio.sleep(0.05)

        await ledger.cancel("run")
        await asyncio.sleep(0.05)

        assert heard.empty()
