"""Publishes a reply while it is written: many pieces in one command, and never at the run's cost."""

from __future__ import annotations

import asyncio
import logging

from orchestrator.delta import Delta
from orchestrator.errors import LedgerError
from orchestrator.ledger.live import LiveLedger

logger = logging.getLogger(__name__)

BATCH_SECONDS = 0.05


class DeltaWriter:
    """One attempt at a turn. `add` is a model's `on_delta`; `finish` before the reply is recorded."""

    def __init__(self, ledger: LiveLedger, run_id: str, *, agent: str, turn: int, attempt: int) -> None:
        self._ledger = ledger
        self._run_id = run_id
        self._empty = Delta(agent=agent, turn=turn, attempt=attempt, offset=0, text="")
        self._offset = 0
        self._pieces: list[str] = []
        self._timer: asyncio.TimerHandle | None = None
        self._publishing: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()

    def add(self, text: str) -> None:
        """Take a piece in; it is published a moment later, with those that come meanwhile."""
        self._pieces.append(text)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(BATCH_SECONDS, self._begin)

    async def finish(self) -> None:
        """Publish what is left."""
        if self._timer is not None:
            self._timer.cancel()
        await self._publish()

    def _begin(self) -> None:
        self._timer = None
        if not self._lock.locked():  # else the server is slow, and the next piece brings these along
            self._publishing = asyncio.get_running_loop().create_task(self._publish())

    async def _publish(self) -> None:
        async with self._lock:
            text, self._pieces = "".join(self._pieces), []
            if not text:
                return
            delta = self._empty.model_copy(update={"offset": self._offset, "text": text})
            self._offset += len(text)
            try:
                await self._ledger.publish_delta(self._run_id, delta)
            except LedgerError as error:
                logger.debug("A piece of a reply of run %s was not published: %s", self._run_id, error)
