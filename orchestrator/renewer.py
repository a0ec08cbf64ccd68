"""Keeps the leases of the runs that this process works on, and hears of cancels."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from orchestrator.errors import LedgerError
from orchestrator.ledger.base import Claim, Ledger, Renewal

logger = logging.getLogger(__name__)

OnNews = Callable[[Renewal], None]


class Renewer:
    """Renews all held runs in one call, six times a lease. One instance serves one event loop."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._held: dict[tuple[str, int], OnNews] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def held(self) -> int:
        """How many runs this process works on."""
        return len(self._held)

    @contextmanager
    def holding(self, claim: Claim, on_news: OnNews) -> Iterator[None]:
        """Renew the claim inside the block; `on_news` hears of `cancel` and `fenced`."""
        key = (claim.run_id, claim.fence)
        self._held[key] = on_news
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._renew_forever())
        try:
            yield
        finally:
            self._held.pop(key, None)

    async def _renew_forever(self) -> None:
        while self._held:
            await asyncio.sleep(self._ledger.settings.lease_seconds / 6)
            held = list(self._held)
            if not held:
                return
            try:
                answers = await self._ledger.renew(held)
            except LedgerError as error:
                logger.warning("Renewing %d leases failed, trying again: %s", len(held), error)
                continue
            for key, answer in zip(held, answers, strict=True):
                if answer != "held" and key in self._held:
                    self._held[key](answer)
