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

MAX_LEFT = 64
"""How many channels that nobody hears any more are left at once: a command for each would cost more than they do."""

News = asyncio.Future[str]


class OutcomeNews:
    """Subscriptions to channels. Nothing is promised: what is published while the server is away is lost."""

    def __init__(self, connection: RedisConnection) -> None:
        self._connection = connection
        self._waiting: dict[str, list[News]] = {}
        self._confirmed: dict[str, asyncio.Event] = {}
        self._left: set[str] = set()
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
            self._left.discard(channel)
            if channel not in self._confirmed:
                self._confirmed[channel] = asyncio.Event()
                await self._tell("subscribe", channel)
            if self._listening is None:
                self._listening = asyncio.create_task(self._listen())
        # Until then, what is published may pass us by. Whoever waits looks for itself now and then.
        with suppress(TimeoutError):
            async with asyncio.timeout(self._connection.block_seconds):
                await self._confirmed[channel].wait()

    async def _part(self, channel: str, news: News) -> None:
        async with self._changing:
            others = [other for other in self._waiting.pop(channel, []) if other is not news]
            if others:
                self._waiting[channel] = others
                return
            self._left.add(channel)
            if len(self._left) >= MAX_LEFT:
                await self._leave()

    async def _leave(self) -> None:
        left, self._left = self._left, set()
        for channel in left:
            self._confirmed.pop(channel, None)
        if left:
            await self._tell("unsubscribe", *left)

    async def _tell(self, command: str, *channels: str) -> None:
        if self._subscription is None:
            self._subscription = self._connection.blocking.pubsub()
        with suppress(RedisError, OSError):  # a server that comes back is told again
            await getattr(self._subscription, command)(*channels)

    async def _listen(self) -> None:
        while self._waiting or not await self._ends():
            try:
                message = await self._subscription.get_message(timeout=self._connection.block_seconds)
            except (RedisError, OSError):
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            if message:
                self._take(message["type"], message["channel"], message["data"])

    async def _ends(self) -> bool:
        """Whether there is nobody left to listen for."""
        async with self._changing:
            if self._waiting:  # somebody has joined meanwhile
                return False
            await self._leave()
            self._listening = None
            return True

    def _take(self, kind: str, channel: str, data: Any) -> None:
        if kind == "subscribe" and channel in self._confirmed:
            self._confirmed[channel].set()
        if kind != "message":
            return
        for news in self._waiting.get(channel, []):
            if not news.done():
                news.set_result(data)
