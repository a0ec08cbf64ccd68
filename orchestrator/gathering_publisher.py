"""Publishes together what gathers while a publish is under way: a busy producer sends many messages in one write."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.ledger.base import Pointer


@dataclass(frozen=True)
class _Request:
    pointers: Sequence[Pointer]
    is_sent: asyncio.Future[None]


class GatheringPublisher:
    """One publish at a time, in a thread, for all who ask on the background loop."""

    def __init__(self, publish: Callable[[Sequence[Pointer]], None]) -> None:
        self._publish = publish
        self._waiting: list[_Request] = []
        self._work: asyncio.Task[None] | None = None

    async def publish(self, pointers: Sequence[Pointer]) -> None:
        """Return when they are sent. Raises what the broker raises, to everybody whose messages went together."""
        if not pointers:
            return
        loop = asyncio.get_running_loop()
        if self._work is None or self._work.done() or self._work.get_loop() is not loop:
            self._waiting = []  # in a forked child: its parent's
            self._work = loop.create_task(self._publish_all())
        request = _Request(pointers, loop.create_future())
        self._waiting.append(request)
        await request.is_sent

    async def _publish_all(self) -> None:
        while self._waiting:
            requests, self._waiting = self._waiting, []
            error = await self._try([pointer for request in requests for pointer in request.pointers])
            for request in requests:
                if request.is_sent.done():
                    continue  # whoever asked has been cancelled
                if error is None:
                    request.is_sent.set_result(None)
                else:
                    request.is_sent.set_exception(error)

    async def _try(self, pointers: Sequence[Pointer]) -> Exception | None:
        try:
            await asyncio.to_thread(self._publish, pointers)
        except Exception as error:
            return error
        return None
