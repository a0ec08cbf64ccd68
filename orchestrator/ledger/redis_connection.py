"""A connection to the ledger's Redis that outlives short interruptions and names what is wrong."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from redis import exceptions
from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript
from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_random_exponential

from orchestrator.errors import LedgerError, LedgerFull, LedgerUnavailable
from orchestrator.ledger.redis_multiplexed import Command, MultiplexedConnection

Answer = TypeVar("Answer")

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 5.0
MAX_BLOCK_SECONDS = 2.0
MAX_CONNECTIONS = 64
"""Enough to keep the server busy: it runs one script at a time. More callers wait for their turn."""

NO_WAITING = (
    "The ledger at %s cannot wait for its disk (%s). After a loss of power, a tool with on_interrupt='report' that had "
    "begun in the last second may begin again. Use Valkey, or Redis 7.2 or newer, with `appendonly yes` and "
    "`appendfsync everysec`, and restart the workers."
)

_INTERRUPTIONS = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.ReadOnlyError,  # the server has just become a replica: its name will point to the new primary
    exceptions.MasterDownError,
    exceptions.TryAgainError,
)
_REJECTIONS = (exceptions.AuthenticationError, exceptions.AuthorizationError)


class RedisConnection:
    """Three ways to one server: for scripts, for other commands, and for those that block and would hold others up."""

    def __init__(self, url: str, *, patience_seconds: float) -> None:
        self._patience_seconds = patience_seconds
        self._can_wait_for_disk = True
        # This class repeats calls itself: redis-py counts attempts, while an outage is measured in seconds.
        once = Retry(NoBackoff(), 0)
        shared = {"decode_responses": True, "retry": once, "socket_timeout": ANSWER_SECONDS}
        commands = BlockingConnectionPool.from_url(url, max_connections=MAX_CONNECTIONS, timeout=None, **shared)
        self.commands: Redis = Redis.from_pool(commands)
        self.blocking: Redis = Redis.from_pool(ConnectionPool.from_url(url, **shared))
        endless = {**shared, "socket_timeout": None, "socket_connect_timeout": ANSWER_SECONDS}
        self._endless = ConnectionPool.from_url(url, **endless)
        self._multiplexed = MultiplexedConnection(self._endless, answer_seconds=ANSWER_SECONDS)
        kwargs = commands.connection_kwargs
        self.address = kwargs.get("path") or f"{kwargs.get('host', 'localhost')}:{kwargs.get('port', 6379)}"
        self.address += f"/{kwargs.get('db') or 0}"
        # The URL's own socket_timeout beats ours; a blocking read must end before it.
        self.block_seconds = min(MAX_BLOCK_SECONDS, (kwargs.get("socket_timeout") or ANSWER_SECONDS) / 2)

    async def call(self, command: Callable[[], Awaitable[Answer]], *, patient: bool = True) -> Answer:
        """The command's answer. Repeats it while the server is away; `ResponseError` is the caller's to read."""
        try:
            return await (self._call_patiently(command) if patient else command())
        except exceptions.OutOfMemoryError as error:
            raise LedgerFull(
                f"The ledger at {self.address} has no memory left. Raise its `maxmemory`, "
                "or lower ORCHESTRATOR_RETENTION_SECONDS to keep ended runs for a shorter time."
            ) from error
        except _REJECTIONS as error:
            raise LedgerUnavailable(
                f"The ledger at {self.address} does not let us in: {error} Check ORCHESTRATOR_LEDGER_URL."
            ) from error
        except _INTERRUPTIONS as error:
            raise LedgerUnavailable(
                f"The ledger at {self.address} cannot be reached. Start one with `orchestrator up`, "
                "or set ORCHESTRATOR_REDIS_URL (or ORCHESTRATOR_LEDGER_URL) to a running Redis or Valkey."
            ) from error
        except exceptions.ResponseError:
            raise
        except exceptions.RedisError as error:
            raise LedgerError(f"The ledger at {self.address} failed: {error}") from error

    async def _call_patiently(self, command: Callable[[], Awaitable[Answer]]) -> Answer:
        try:
            return await command()
        except _INTERRUPTIONS as error:
            if not _is_interruption(error):
                raise
        attempts = AsyncRetrying(
            retry=retry_if_exception(_is_interruption),
            wait=wait_random_exponential(multiplier=0.05, max=1.0),
            stop=stop_after_delay(self._patience_seconds),
            reraise=True,
        )

        async def attempt() -> Answer:
            return await command()

        return await attempts(attempt)

    async def command(self, *parts: str | float, patient: bool = True) -> Any:
        """The answer to one command."""
        client: Any = self.commands  # whose generic call has no types
        return await self.call(lambda: client.execute_command(*parts), patient=patient)

    async def run(self, script: AsyncScript, keys: Sequence[str], values: Sequence[str]) -> Any:
        """A script's answer."""
        return await self.call(lambda: self._evaluate(script, keys, values))

    async def _evaluate(self, script: AsyncScript, keys: Sequence[str], values: Sequence[str]) -> Any:
        arguments: list[str | float] = [len(keys), *keys, *values]
        try:
            return await self._multiplexed.execute("EVALSHA", script.sha, *arguments)
        except exceptions.NoScriptError:  # a new or restarted server
            return await self._multiplexed.execute("EVAL", str(script.script), *arguments)

    def open_line(
        self,
        *,
        first_words: Callable[[], Sequence[Command]],
        on_message: Callable[[str, str], None],
        on_end: Callable[[], None],
    ) -> MultiplexedConnection:
        """A connection like that of the scripts that can hear channels, for who closes it."""
        return MultiplexedConnection(
            self._endless,
            answer_seconds=ANSWER_SECONDS,
            first_words=first_words,
            on_message=on_message,
            on_end=on_end,
        )

    async def run_durably(self, script: AsyncScript, keys: Sequence[str], values: Sequence[str]) -> Any:
        """The same when what the script has written is on the server's disk, if the server can tell."""
        if not self._can_wait_for_disk:
            return await self.run(script, keys, values)

        async def run_and_wait() -> Any:
            # Over one connection: the server waits for what this client has written.
            async with self.blocking.pipeline(transaction=False) as pipeline:
                await script(keys=keys, args=values, client=pipeline)
                pipeline.execute_command("WAITAOF", 1, 0, round(1000 * self.block_seconds))
                answer, written = await pipeline.execute(raise_on_error=False)
            if isinstance(answer, Exception):
                raise answer
            if reason := await self._reason_not_to_wait(written):
                logger.warning(NO_WAITING, self.address, reason)
                self._can_wait_for_disk = False
            return answer

        return await self.call(run_and_wait)

    async def _reason_not_to_wait(self, written: Any) -> str:
        """Why this server cannot say what is on its disk. Empty: it can, and has it."""
        if isinstance(written, exceptions.ResponseError):
            return str(written)
        if written[0]:
            return ""
        try:
            config = await self.commands.config_get("appendfsync")
        except exceptions.ResponseError as error:
            return f"no answer to WAITAOF, and {error}"
        if config.get("appendfsync") == "no":
            return "appendfsync is `no`"
        raise exceptions.TimeoutError("The append-only file is not on the disk yet.")

    async def describe_server(self) -> tuple[dict[str, Any], str | None]:
        """What it says about itself, and its `appendfsync` if it tells."""
        info = await self.call(self.commands.info, patient=False)
        try:
            config = await self.call(lambda: self.commands.config_get("appendfsync"), patient=False)
        except exceptions.ResponseError:  # a managed server may keep its configuration to itself
            return info, None
        return info, config.get("appendfsync")

    async def pipeline(self, commands: Sequence[Sequence[str | float]], *, patient: bool = True) -> list[Any]:
        """The answers to several commands, sent at once."""

        async def execute() -> list[Any]:
            async with self.commands.pipeline(transaction=False) as pipeline:
                for parts in commands:
                    pipeline.execute_command(*parts)
                return await pipeline.execute()

        return await self.call(execute, patient=patient)

    async def wait_for_entries(self, streams: Iterable[str], after: Iterable[str], *, seconds: float) -> Any:
        """What XREAD finds after these positions; nothing after `seconds`, or `block_seconds` if that is sooner."""
        # At least 1: Redis takes 0 for "for ever".
        block = max(1, round(1000 * min(seconds, self.block_seconds)))
        parts = ("XREAD", "BLOCK", block, "STREAMS", *streams, *after)
        client: Any = self.blocking
        return await self.call(lambda: client.execute_command(*parts))

    async def close(self) -> None:
        """Close all connections."""
        await self._multiplexed.close()
        await self.commands.aclose()
        await self.blocking.aclose()


def _is_interruption(error: BaseException) -> bool:
    return isinstance(error, _INTERRUPTIONS) and not isinstance(error, _REJECTIONS)
