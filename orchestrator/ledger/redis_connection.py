"""A connection to the ledger's Redis that outlives short interruptions and names what is wrong."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from redis import exceptions
from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_random_exponential

from orchestrator.errors import LedgerError, LedgerFull, LedgerUnavailable

Answer = TypeVar("Answer")

ANSWER_SECONDS = 5.0
MAX_BLOCK_SECONDS = 2.0
MAX_CONNECTIONS = 64
"""Enough to keep the server busy: it runs one script at a time. More callers wait for their turn."""

_INTERRUPTIONS = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.ReadOnlyError,  # the server has just become a replica: its name will point to the new primary
    exceptions.MasterDownError,
    exceptions.TryAgainError,
)
_REJECTIONS = (exceptions.AuthenticationError, exceptions.AuthorizationError)


class RedisConnection:
    """Two clients of one server: for commands, and for reads that block and would keep others waiting."""

    def __init__(self, url: str, *, patience_seconds: float) -> None:
        self._patience_seconds = patience_seconds
        # This class repeats calls itself: redis-py counts attempts, while an outage is measured in seconds.
        once = Retry(NoBackoff(), 0)
        shared = {"decode_responses": True, "retry": once, "socket_timeout": ANSWER_SECONDS}
        commands = BlockingConnectionPool.from_url(url, max_connections=MAX_CONNECTIONS, timeout=None, **shared)
        self.commands: Redis = Redis.from_pool(commands)
        self.blocking: Redis = Redis.from_pool(ConnectionPool.from_url(url, **shared))
        kwargs = commands.connection_kwargs
        self.address = kwargs.get("path") or f"{kwargs.get('host', 'localhost')}:{kwargs.get('port', 6379)}"
        self.address += f"/{kwargs.get('db') or 0}"
        # The URL's own socket_timeout beats ours; a blocking read must end before it.
        self.block_seconds = min(MAX_BLOCK_SECONDS, (kwargs.get("socket_timeout") or ANSWER_SECONDS) / 2)

    async def call(self, command: Callable[[], Awaitable[Answer]], *, patient: bool = True) -> Answer:
        """The command's answer. Repeats it while the server is away; `ResponseError` is the caller's to read."""
        attempts = AsyncRetrying(
            retry=retry_if_exception(_is_interruption),
            wait=wait_random_exponential(multiplier=0.05, max=1.0),
            stop=stop_after_delay(self._patience_seconds if patient else 0),
            reraise=True,
        )

        async def attempt() -> Answer:
            return await command()

        try:
            return await attempts(attempt)
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

    async def command(self, *parts: str | float, patient: bool = True) -> Any:
        """The answer to one command."""
        client: Any = self.commands  # whose generic call has no types
        return await self.call(lambda: client.execute_command(*parts), patient=patient)

    async def pipeline(self, commands: Sequence[Sequence[str]]) -> list[Any]:
        """The answers to several reads, sent at once."""

        async def execute() -> list[Any]:
            async with self.commands.pipeline(transaction=False) as pipeline:
                for parts in commands:
                    pipeline.execute_command(*parts)
                return await pipeline.execute()

        return await self.call(execute)

    async def wait_for_entries(self, streams: Iterable[str], after: Iterable[str], *, seconds: float) -> Any:
        """What XREAD finds after these positions; nothing after `seconds`, or `block_seconds` if that is sooner."""
        # At least 1: Redis takes 0 for "for ever".
        block = max(1, round(1000 * min(seconds, self.block_seconds)))
        parts = ("XREAD", "BLOCK", block, "STREAMS", *streams, *after)
        client: Any = self.blocking
        return await self.call(lambda: client.execute_command(*parts))

    async def close(self) -> None:
        """Close all connections."""
        await self.commands.aclose()
        await self.blocking.aclose()


def _is_interruption(error: BaseException) -> bool:
    return isinstance(error, _INTERRUPTIONS) and not isinstance(error, _REJECTIONS)
