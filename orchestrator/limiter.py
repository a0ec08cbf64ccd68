"""Gets this process's model calls through the fleet's limits, with one look at a limit for all that wait for it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from orchestrator.errors import LedgerError
from orchestrator.ledger.limits import LEASE_SECONDS, Answer, LimitStore, Ticket
from orchestrator.limits import Limit, find_limit

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
"""Between two looks while somebody waits. Shorter than `AHEAD_SECONDS`."""
GATHER_SECONDS = 0.03
"""Between two looks at least: those who ask at the same time are served by one."""
RENEW_SECONDS = LEASE_SECONDS / 6

OnCalled = Callable[[Sequence[tuple[str, int]]], Awaitable[None]]


class Limiter:
    """The desks of all limits. One instance serves one event loop."""

    def __init__(self, store: LimitStore, limits: Sequence[Limit], on_called: OnCalled) -> None:
        self.store = store
        self._limits = tuple(limits)
        self._desks = {limit.name: Desk(store, limit, on_called) for limit in limits}

    def find(self, model: str) -> Limit | None:
        """The limit that counts for a model."""
        return find_limit(self._limits, model)

    def desk(self, limit: Limit) -> Desk:
        """Where tickets of this limit are asked for."""
        return self._desks[limit.name]

    async def look_around(self) -> None:
        """Call parked runs whose turn has come, also of limits that nobody here waits for. Every second or so."""
        for desk in self._desks.values():
            await desk.look_if_idle()


class Desk:
    """One limit's tickets in this process: those that wait for an answer, and those that are held."""

    def __init__(self, store: LimitStore, limit: Limit, on_called: OnCalled) -> None:
        self._store = store
        self._limit = limit
        self._on_called = on_called
        self._waiting: dict[str, tuple[Ticket, float, asyncio.Future[Answer]]] = {}
        self._held: dict[str, Ticket] = {}
        self._over: list[tuple[Ticket, int | None]] = []
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._renew_at = 0.0

    async def ask(self, ticket: Ticket, *, patience_seconds: float) -> Answer:
        """Wait for the ticket to be granted, or until the wait turns out to be longer than that.

        A granted ticket is held, and renewed, until `give_back`. Raises `LedgerError`.
        """
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[ticket.id] = (ticket, patience_seconds, future)
        self._wake()
        try:
            return await future
        except asyncio.CancelledError:
            self._held.pop(ticket.id, None)
            raise
        finally:
            self._waiting.pop(ticket.id, None)

    def give_back(self, ticket: Ticket, *, tokens: int | None = None) -> None:
        """The call is over, or no longer wanted. The store hears of it with the next look."""
        self._held.pop(ticket.id, None)
        self._over.append((ticket, tokens))
        self._wake()

    async def park(self, ticket: Ticket, *, seconds: float) -> bool:
        """As the store's. False: ask again."""
        return await self._store.park(self._limit, ticket, seconds=seconds)

    async def pause(self, seconds: float) -> None:
        """The server asks everybody to wait."""
        await self._store.pause(self._limit, seconds)

    async def look_if_idle(self) -> None:
        """One look, unless they happen by themselves."""
        if not self._waiting:
            await self._look()

    def _wake(self) -> None:
        self._news.set()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._look_while_needed())

    async def _look_while_needed(self) -> None:
        while self._waiting or self._held or self._over:
            self._news.clear()
            try:
                await self._look()
            except LedgerError as error:
                self._fail(error)
            except Exception as error:  # a defect must not leave everybody waiting for ever
                logger.exception("Asking for tickets of the limit of model %s failed", self._limit.name)
                self._fail(LedgerError(f"Asking for the limit of model `{self._limit.name}` failed: {error}"))
            await asyncio.sleep(GATHER_SECONDS)
            await self._rest(LOOK_SECONDS if self._waiting else RENEW_SECONDS)

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return

    async def _look(self) -> None:
        over = list(self._over)
        await asyncio.gather(*(self._store.settle(self._limit, ticket, tokens=tokens) for ticket, tokens in over))
        del self._over[: len(over)]
        asking = list(self._waiting.values())
        served = await self._store.serve(self._limit, [ticket for ticket, _, _ in asking], self._due_for_renewal())
        for (ticket, patience_seconds, future), answer in zip(asking, served.answers, strict=True):
            if future.done():
                continue  # whoever asked has gone: what it was granted lapses, or is asked for again
            if answer.is_granted:
                self._held[ticket.id] = ticket
            if answer.is_granted or answer.seconds > patience_seconds:
                future.set_result(answer)
                self._waiting.pop(ticket.id, None)
        if served.called:
            await self._on_called(served.called)

    def _due_for_renewal(self) -> list[Ticket]:
        if time.monotonic() < self._renew_at:
            return []
        self._renew_at = time.monotonic() + RENEW_SECONDS
        return list(self._held.values())

    def _fail(self, error: LedgerError) -> None:
        for _, _, future in self._waiting.values():
            if not future.done():
                future.set_exception(error)
        self._waiting.clear()
