"""The connection that all scripts of a process share: nobody gets another's answer, or waits for one that is lost."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from redis import exceptions
from redis.asyncio import ConnectionPool, Redis

from orchestrator.embedded import EmbeddedValkey
from orchestrator.ledger.redis_multiplexed import MAX_UNDER_WAY, MultiplexedConnection

ANSWER_SECONDS = 3.0
SPIN = "local t = redis.call('TIME')[1] + ARGV[1] while redis.call('TIME')[1] + 0 < t do end return ARGV[2]"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    """A server of this test's own, to be killed."""
    with EmbeddedValkey(tmp_path / "valkey") as server:
        yield server


@pytest.fixture
async def connection(server: EmbeddedValkey) -> AsyncIterator[MultiplexedConnection]:
    pool = ConnectionPool.from_url(server.url, decode_responses=True)
    connection = MultiplexedConnection(pool, answer_seconds=ANSWER_SECONDS)
    yield connection
    await connection.close()


def signal_server(server: EmbeddedValkey, number: signal.Signals) -> None:
    assert server.pid is not None
    os.kill(server.pid, number)


async def test_each_caller_gets_its_own_answer(connection: MultiplexedConnection) -> None:
    answers = await asyncio.gather(*(connection.execute("ECHO", number) for number in range(3 * MAX_UNDER_WAY)))

    assert answers == [str(number) for number in range(3 * MAX_UNDER_WAY)]
    assert "connected_clients:1" in await connection.execute("INFO", "clients")


async def test_answer_that_comes_in_pieces_is_given_whole(connection: MultiplexedConnection) -> None:
    texts = [letter * 3_000_000 for letter in "äb"]

    assert await asyncio.gather(*(connection.execute("ECHO", text) for text in texts)) == texts


async def test_call_after_the_server_has_closed_the_connection_connects_anew(
    server: EmbeddedValkey, connection: MultiplexedConnection
) -> None:
    first = await connection.execute("CLIENT", "ID")
    async with Redis.from_url(server.url) as other:
        await other.client_kill_filter(_id=first)

    async def connected_anew() -> bool:
        with suppress(exceptions.ConnectionError):  # it may not have heard yet
            return bool(await connection.execute("CLIENT", "ID") != first)
        return False

    assert await connected_anew() or await connected_anew()


async def test_error_is_its_callers_alone(connection: MultiplexedConnection) -> None:
    answers = await asyncio.gather(
        connection.execute("ECHO", "before"),
        connection.execute("NO-SUCH-COMMAND"),
        connection.execute("ECHO", "after"),
        return_exceptions=True,
    )

    assert (answers[0], answers[2]) == ("before", "after")
    assert isinstance(answers[1], exceptions.ResponseError)


async def test_caller_that_leaves_takes_no_answer_with_it(connection: MultiplexedConnection) -> None:
    leaving = asyncio.ensure_future(connection.execute("EVAL", SPIN, 0, 0, "lost"))
    staying = asyncio.ensure_future(connection.execute("ECHO", "found"))
    await asyncio.sleep(0)

    leaving.cancel()

    assert await staying == "found"
    assert leaving.cancelled()


async def test_all_that_is_under_way_fails_when_the_server_dies_and_the_next_call_connects_anew(
    server: EmbeddedValkey, connection: MultiplexedConnection
) -> None:
    await connection.execute("PING")
    signal_server(server, signal.SIGSTOP)
    calls = [asyncio.ensure_future(connection.execute("ECHO", number)) for number in range(5)]
    await asyncio.sleep(0.1)
    server.kill()

    answers = await asyncio.gather(*calls, return_exceptions=True)

    assert {type(answer) for answer in answers} == {exceptions.ConnectionError}
    with pytest.raises(exceptions.ConnectionError):
        await connection.execute("PING")
    server.start()
    assert await connection.execute("ECHO", "again") == "again"


async def test_server_that_stands_still_is_given_up_and_its_late_answers_reach_nobody(
    server: EmbeddedValkey, connection: MultiplexedConnection
) -> None:
    await connection.execute("PING")
    signal_server(server, signal.SIGSTOP)
    try:
        with pytest.raises(exceptions.TimeoutError):
            await connection.execute("ECHO", "late")
    finally:
        signal_server(server, signal.SIGCONT)

    assert await connection.execute("ECHO", "new") == "new"


async def test_what_is_under_way_fails_when_the_connection_is_closed(
    server: EmbeddedValkey, connection: MultiplexedConnection
) -> None:
    await connection.execute("PING")
    signal_server(server, signal.SIGSTOP)
    call = asyncio.ensure_future(connection.execute("PING"))
    await asyncio.sleep(0.05)

    await connection.close()

    with pytest.raises(exceptions.ConnectionError):
        await call
    signal_server(server, signal.SIGCONT)
