"""Hears of outcomes as scripts publish them: one connection for all runs that this process waits for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from redis.exceptions import RedisError

from orchestrator.ledger.redis_connection import RedisConnection

PAUSE_SECONDS = 0.5
"""Between attempts to reach a server that is away."""

News = asyncio.Future[str]


class OutcomeNews:
    """Subscriptions to channels. Nothing is promised: what is published while the server is away is lost."""

    def __init__(self, connection: RedisConnection) -> None:
        self._connection = connection
        self._waiting: dict[str, list[News]] = {}
        self._confirmed: dict[str, asyncio.Event] = {}
        self._subscription: Any = None
        self._changing = asyncio.Lock()
        self._listening: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def hearing(self, channel: str) -> AsyncIterator[News]:
        """What is published on the channel from the block's start on, the first of it, as a future."""
        news: News = asyncio.get_running_loop().create_future()
        try:
            await self._join(channel, news)
            yield news
        finally:
            news.cancel()
            await self._part(channel, news)

    async def close(self) -> None:
        """Let go of the connection."""
        if self._listening is not None:
            self._listening.cancel()
        if self._subscription is not None:
            await self._subscription.aclose()
            self._subscription = None

    async def _join(self, channel: str, news: News) -> None:
        async with self._changing:
            self._waiting.setdefault(channel, []).append(news)
            if channel not in self._confirmed:
                self._confirmed[channel] = asyncio.Event()
                await self._tell("subscribe", channel)
            if self._listening is None or self._listening.done():
                self._listening = asyncio.create_task(self._listen())
        # Until then, what is published may pass us by. Whoever waits looks for itself now and then.
        with suppress(TimeoutError):
            await asyncio.wait_for(self._confirmed[channel].wait(), self._connection.block_seconds)

    async def _part(self, channel: str, news: News) -> None:
        async with self._changing:
            others = [other for other in self._waiting.pop(channel, []) if other is not news]
            if others:
                self._waiting[channel] = others
            elif self._confirmed.pop(channel, None):
                await self._tell("unsubscribe", channel)

    async def _tell(self, command: str, channel: str) -> None:
        if self._subscription is None:
            self._subscription = self._connection.blocking.pubsub()
        with suppress(RedisError, OSError):  # a server that comes back is told again
            await getattr(self._subscription, command)(channel)

    async def _listen(self) -> None:
        while self._waiting:
            try:
                message = await self._subscription.get_message(timeout=self._connection.block_seconds)
            except (RedisError, OSError):
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            if message:
                self._take(message["type"], message["channel"], message["data"])

    def _take(self, kind: str, channel: str, data: Any) -> None:
        if kind == "subscribe" and channel in self._confirmed:
            self._confirmed[channel].set()
        if kind != "message":
            return
        for news in self._waiting.get(channel, []):
            if not news.done():
                news.set_result(data)
