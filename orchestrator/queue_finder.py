"""Finds the queue of a step whose task this process has not loaded: workers say where they read it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from orchestrator.errors import LedgerError
from orchestrator.ledger.base import Ledger, Pointer
from orchestrator.registry import Registry

logger = logging.getLogger(__name__)

KNOWN_SECONDS = 5.0
"""How long what workers said is believed. A worker that moves to another queue is found again after that."""


class QueueFinder:
    """Addresses steps by the ledger's directory. Used on the background loop."""

    def __init__(
        self, ledger: Callable[[], Ledger], registry: Registry, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ledger = ledger
        self._registry = registry
        self._clock = clock
        self._queues: dict[str, str | None] = {}
        self._known_until = float("-inf")

    async def address(self, pointers: Sequence[Pointer]) -> list[Pointer]:
        """The pointers, with the queue of those that would go to this app's default queue, where nobody reads them."""
        return [await self._address(pointer) if self._is_foreign(pointer) else pointer for pointer in pointers]

    def _is_foreign(self, pointer: Pointer) -> bool:
        return pointer.queue is None and not self._registry.has_task(pointer.task)

    async def _address(self, pointer: Pointer) -> Pointer:
        try:
            queues = await self._ask_directory()
        except LedgerError as error:
            logger.warning("Where `%s` is loaded cannot be looked up: %s", pointer.task, error)
            return pointer
        return replace(pointer, queue=queues.get(pointer.task))

    async def _ask_directory(self) -> dict[str, str | None]:
        if self._clock() > self._known_until:
            self._queues = {record.task: record.queue for record in await self._ledger().loaded()}
            self._known_until = self._clock() + KNOWN_SECONDS
        return self._queues
