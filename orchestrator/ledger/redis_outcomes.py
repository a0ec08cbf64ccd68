"""Hears of outcomes as scripts publish them: one connection for all runs that this process waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from redis.exceptions import RedisError

from orchestrator.ledger.redis_connection import RedisConnection
from orchestrator.ledger.redis_multiplexed import Command

LOOK_SECONDS = 2.0
"""How often whoever waits for an outcome looks for itself: what is published can get lost."""

BLIND_LOOK_SECONDS = 0.25
"""The same over Redis's older protocol, by which a server cannot say something of its own accord."""

PAUSE_SECONDS = 0.5
"""Between attempts to reach a server that is away."""

MAX_LEFT = 64
"""How many channels that nobody hears any more are left at once: a command for each would cost more than they do."""

News = asyncio.Future[str]


class OutcomeNews:
    """Subscriptions to channels. Nothing is promised: what is published while the server is away is lost.

    It has a connection of its own: to one with subscriptions, the server gives less room for answers.
    """

    def __init__(self, connection: RedisConnection) -> None:
        self._connection = connection
        self._line = connection.open_line(
            first_words=self._subscriptions, on_message=self._take, on_end=self._begin_to_mend
        )
        self._waiting: dict[str, list[News]] = {}
        self._left: set[str] = set()
        self._mending: asyncio.Task[None] | None = None
        self._is_closed = False

    @property
    def look_seconds(self) -> float:
        """How long to wait for news before looking for oneself."""
        return LOOK_SECONDS if self._line.has_pushes else BLIND_LOOK_SECONDS

    @contextmanager
    def hearing(self, channel: str) -> Iterator[News]:
        """The first that is published on the channel after the next `fields`, or sooner, as a future."""
        news: News = asyncio.get_running_loop().create_future()
        self._join(channel, news)
        try:
            yield news
        finally:
            news.cancel()
            self._part(channel, news)

    async def fields(self, key: str, *names: str) -> list[str | None]:
        """Fields of a hash, as they are when all that was to be heard is heard."""
        found: list[str | None] = await self._connection.call(lambda: self._line.execute("HMGET", key, *names))
        return found

    async def close(self) -> None:
        """Let go of the connection."""
        self._is_closed = True
        if self._mending is not None:
            self._mending.cancel()
        await self._line.close()

    def _join(self, channel: str, news: News) -> None:
        if channel not in self._waiting and channel not in self._left:
            self._line.tell("SUBSCRIBE", channel)
        self._left.discard(channel)
        self._waiting.setdefault(channel, []).append(news)

    def _part(self, channel: str, news: News) -> None:
        self._waiting[channel].remove(news)
        if self._waiting[channel]:
            return
        del self._waiting[channel]
        self._left.add(channel)
        if len(self._left) >= MAX_LEFT:
            self._line.tell("UNSUBSCRIBE", *self._left)
            self._left.clear()

    def _subscriptions(self) -> Sequence[Command]:
        self._left.clear()
        return [("SUBSCRIBE", *self._waiting)] if self._waiting else []

    def _begin_to_mend(self) -> None:
        if self._waiting and not self._is_closed and (self._mending is None or self._mending.done()):
            self._mending = asyncio.ensure_future(self._mend())

    async def _mend(self) -> None:
        """Connect again, and so subscribe, for those who wait: their own next look may be a while off."""
        while self._waiting:
            try:
                await self._line.execute("PING")
                return
            except (RedisError, OSError):
                await asyncio.sleep(PAUSE_SECONDS)

    def _take(self, channel: str, text: str) -> None:
        for news in self._waiting.get(channel, []):
            if not news.done():
                news.set_result(text)
