"""Keeps the leases of the runs that this process works on, and hears of cancels."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from orchestrator.errors import LedgerError
from orchestrator.ledger.base import Claim, Ledger, Renewal
from orchestrator.ledger.live import Position

logger = logging.getLogger(__name__)

LISTEN_SECONDS = 2.0
RETRY_SECONDS = 0.5

OnNews = Callable[[Renewal], None]


class Renewer:
    """Renews all held runs in one call, six times a lease. One instance serves one event loop.

    Cancels come through the ledger's `follow_cancels`, at once; one that is missed there comes with a renewal.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._held: dict[tuple[str, int], OnNews] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._heard: Position | None = None

    @property
    def held(self) -> int:
        """How many runs this process works on."""
        return len(self._held)

    @contextmanager
    def holding(self, claim: Claim, on_news: OnNews) -> Iterator[None]:
        """Renew the claim inside the block; `on_news` hears of `cancel` and `fenced`."""
        key = (claim.run_id, claim.fence)
        self._held[key] = on_news
        self._keep_going()
        try:
            yield
        finally:
            self._held.pop(key, None)

    def _keep_going(self) -> None:
        works = (self._renew_forever, self._listen_forever)
        if not self._tasks:
            self._tasks = [asyncio.ensure_future(work()) for work in works]
            return
        for index, work in enumerate(works):
            if self._tasks[index].done():
                self._tasks[index] = asyncio.ensure_future(work())

    async def _renew_forever(self) -> None:
        while self._held:
            await asyncio.sleep(self._ledger.settings.lease_seconds / 6)
            await self._renew()

    async def _renew(self) -> None:
        held = list(self._held)
        if not held:
            return
        try:
            answers = await self._ledger.renew(held)
        except LedgerError as error:
            logger.warning("Renewing %d leases failed, trying again: %s", len(held), error)
            return
        for key, answer in zip(held, answers, strict=True):
            if answer != "held" and key in self._held:
                self._held[key](answer)

    async def _listen_forever(self) -> None:
        while self._held:
            is_first = self._heard is None
            try:
                self._heard, cancelled = await self._ledger.follow_cancels(self._heard, timeout_seconds=LISTEN_SECONDS)
            except LedgerError:
                await asyncio.sleep(RETRY_SECONDS)  # the renewals say that the ledger is away
                continue
            if is_first:
                await self._renew()  # for what was cancelled since the claim, before anybody listened
            for key, on_news in list(self._held.items()):
                if key[0] in cancelled:
                    on_news("cancel")
