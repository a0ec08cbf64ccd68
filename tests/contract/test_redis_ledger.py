"""What the ledger in Redis promises beyond the interface: outages, a full server, its keys, its cost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from orchestrator.embedded import EmbeddedValkey
from orchestrator.errors import LedgerError, LedgerFull, LedgerUnavailable, UserError
from orchestrator.ledger import redis_scripts
from orchestrator.ledger.base import Claim, Fenced, LedgerSettings
from orchestrator.ledger.live import START, Notice
from orchestrator.ledger.redis import RedisLedger
from orchestrator.ledger.redis_connection import MAX_CONNECTIONS
from tests.contract.steps import ANSWER, claim, log_types, new_run, park, reply, start_and_claim, started, until
from tests.support.stack import wait_until_on_disk


@pytest.fixture
def ledger(redis_ledger: RedisLedger) -> RedisLedger:
    return redis_ledger


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    """A server of the test's own, to be mistreated."""
    with EmbeddedValkey(tmp_path / "valkey") as made:
        yield made


@pytest.fixture
def small_server(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    with EmbeddedValkey(tmp_path / "valkey", max_memory_bytes=4_000_000) as made:
        yield made


# ---- outages ----------------------------------------------------------------------------------


async def test_an_absent_server_is_named_without_its_password(server: EmbeddedValkey) -> None:
    server.stop()
    ledger = RedisLedger(f"redis://:secret@127.0.0.1:{server.port}/3", patience_seconds=0.2)

    with pytest.raises(LedgerUnavailable) as raised:
        await ledger.start(new_run())

    assert f"127.0.0.1:{server.port}/3" in raised.value.message
    assert "orchestrator up" in raised.value.message
    assert "ORCHESTRATOR_LEDGER_URL" in raised.value.message
    assert "secret" not in raised.value.message


async def test_ping_does_not_wait_for_an_absent_server(server: EmbeddedValkey) -> None:
    server.stop()
    ledger = RedisLedger(server.url, patience_seconds=3600)

    async with asyncio.timeout(60):
        with pytest.raises(LedgerUnavailable):
            await ledger.ping()


async def test_a_rejected_password_is_not_tried_again(server: EmbeddedValkey) -> None:
    ledger = RedisLedger(f"redis://nobody:secret@127.0.0.1:{server.port}/0", patience_seconds=3600)

    async with asyncio.timeout(60):
        with pytest.raises(LedgerUnavailable, match="does not let us in"):
            await ledger.start(new_run())

    await ledger.close_connections()


async def test_runs_and_calls_survive_a_killed_server(server: EmbeddedValkey) -> None:
    ledger = RedisLedger(server.url, patience_seconds=30)
    claimed = await start_and_claim(ledger)
    waiting = asyncio.create_task(ledger.follow({"unknown": START}, timeout_seconds=60))
    await asyncio.sleep(0.1)

    server.kill()
    appending = asyncio.create_task(ledger.append(claimed, 2, [reply()]))
    await asyncio.sleep(0.2)
    assert not appending.done()
    await asyncio.to_thread(server.start)

    assert await appending == Notice()
    assert await log_types(ledger) == ["input", "invocation", "reply"]
    await ledger.start(new_run("unknown"))
    assert [entry.type for _, _, entry in await waiting] == ["input"]
    await ledger.close_connections()


async def test_what_must_not_begin_twice_waits_for_the_disk(ledger: RedisLedger, client: Any) -> None:
    claimed = await start_and_claim(ledger)
    await client.config_resetstat()

    await ledger.append(claimed, 2, [reply()])
    assert "cmdstat_waitaof" not in await client.info("commandstats")
    await ledger.append(claimed, 3, [started("c1")], durable=True)
    await ledger.append(claimed, 3, [started("c1")], durable=True)  # repeated, as after a lost connection

    assert (await client.info("commandstats"))["cmdstat_waitaof"]["calls"] == 2
    assert await log_types(ledger) == ["input", "invocation", "reply", "started"]


@pytest.mark.parametrize(
    "setting",
    [
        ("CONFIG", "SET", "appendonly", "no"),
        ("CONFIG", "SET", "appendfsync", "no"),
        ("ACL", "SETUSER", "default", "-waitaof"),
    ],
    ids=" ".join,
)
async def test_server_that_cannot_wait_for_its_disk_is_named_once(
    server: EmbeddedValkey, setting: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    ledger = RedisLedger(server.url)
    claimed = await start_and_claim(ledger)
    await ledger._connection.command(*setting)

    for number in (1, 2):
        await ledger.append(claimed, 1 + number, [started(f"c{number}")], durable=True)

    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "cannot wait for its disk" in caplog.text
    await ledger.close_connections()


async def test_fence_of_a_claim_that_the_server_has_lost_is_not_given_out_again(
    ledger: RedisLedger, client: Any
) -> None:
    """Its holder may still be at work, and must not be taken for the next one."""
    await ledger.start(new_run())
    run_key, log_key = ledger._keys.run("run"), ledger._keys.log("run")
    before = await client.hgetall(run_key)
    lost = await claim(ledger)
    await client.delete(run_key)
    await client.hset(run_key, mapping=before)
    [*_, (last, _)] = await client.xrange(log_key)
    await client.xdel(log_key, last)

    found = await claim(ledger, message="m2")

    assert found.fence != lost.fence
    with pytest.raises(Fenced):
        await ledger.append(lost, lost.size, [reply()])


async def test_a_server_that_lost_the_scripts_gets_them_again(ledger: RedisLedger, client: Any) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.append(claimed, 2, [reply()])

    await client.script_flush()

    assert await ledger.append(claimed, 3, [reply()]) == Notice()


async def test_a_cancelled_call_does_not_spoil_its_connection(ledger: RedisLedger) -> None:
    claimed = await start_and_claim(ledger)
    for _ in range(50):
        task = asyncio.create_task(ledger.renew([("run", claimed.fence)]))
        await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    summaries = await asyncio.gather(*(ledger.summary("run") for _ in range(100)))

    assert all(summary and summary.run_id == "run" for summary in summaries)


async def test_many_calls_share_a_limited_number_of_connections(server: EmbeddedValkey) -> None:
    ledger = RedisLedger(server.url)
    await asyncio.gather(*(ledger.start(new_run(f"run{number}")) for number in range(500)))

    client = Redis.from_url(server.url)
    clients = await client.client_list()
    await client.aclose()

    assert len(clients) <= MAX_CONNECTIONS + 1
    assert len(await ledger.recent(1000)) == 500
    await ledger.close_connections()


# ---- a full server ----------------------------------------------------------------------------


async def fill(ledger: RedisLedger) -> None:
    for number in range(1000):
        await ledger.start(new_run(f"filler{number}", text="x" * 50_000))


async def test_a_full_server_refuses_new_work_before_it_begins(small_server: EmbeddedValkey) -> None:
    ledger = RedisLedger(small_server.url)
    claimed = await start_and_claim(ledger)

    with pytest.raises(LedgerFull, match="maxmemory"):
        await fill(ledger)

    with pytest.raises(LedgerFull):
        await ledger.append(claimed, 2, [reply("x" * 50_000)])
    summary = await ledger.summary("run")
    assert summary
    assert summary.size == len(await ledger.entries("run")) == 2
    await ledger.close_connections()


async def test_a_full_server_lets_ended_runs_go(small_server: EmbeddedValkey) -> None:
    ledger = RedisLedger(small_server.url, settings=LedgerSettings(retention_seconds=0.2))
    await ledger.start(new_run("big", text="x" * 500_000))
    big = await claim(ledger, "big")
    await ledger.end(big, 2, [], ANSWER)
    with pytest.raises(LedgerFull):
        await fill(ledger)

    assert await ledger.renew([("big", big.fence)]) == ["held"]
    await ledger.cancel("filler0")
    await ledger.close(big)

    async def has_room() -> bool:
        try:
            return bool(await ledger.start(new_run("late")))
        except LedgerFull:
            return False

    await until(has_room)
    await ledger.close_connections()


# ---- keys and cost ----------------------------------------------------------------------------


async def test_the_keys_of_a_tree_share_its_hash_tag(ledger: RedisLedger, client: Any, namespace: str) -> None:
    await park(ledger, await start_and_claim(ledger), "c1")

    keys = {key.removeprefix(f"{namespace}:") async for key in client.scan_iter(f"{namespace}:*")}

    shared = {"queued", "runs"}
    assert shared < keys
    assert len(keys - shared) == 4
    assert all(key.startswith(("run:{run}:run", "log:{run}:run")) for key in keys - shared)


def test_a_namespace_that_would_break_the_keys_is_refused() -> None:
    with pytest.raises(UserError, match="namespace"):
        RedisLedger("redis://127.0.0.1:6379/0", namespace="{shop}")


async def test_only_the_latest_runs_are_listed(
    valkey_url: str, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_scripts, "RUNS_KEPT", 3)
    ledger = RedisLedger(valkey_url, namespace=namespace)
    for number in range(5):
        await ledger.start(new_run(f"run{number}"))
        await asyncio.sleep(0.002)

    assert [summary.run_id for summary in await ledger.recent(10)] == ["run4", "run3", "run2"]
    await ledger.close_connections()


async def test_an_append_costs_the_same_however_long_the_conversation_is(server: EmbeddedValkey) -> None:
    ledger, client = RedisLedger(server.url), Redis.from_url(server.url, decode_responses=True)
    claimed = await start_and_claim(ledger)
    await ledger.append(claimed, 2, [reply()])  # loads the script

    first = await appended(ledger, client, server, claimed, at=3)
    await ledger.append(claimed, 13, [reply("x" * 1000)] * 500)
    last = await appended(ledger, client, server, claimed, at=513)

    assert last == pytest.approx(first, rel=0.05)
    await client.aclose()
    await ledger.close_connections()


async def appended(ledger: RedisLedger, client: Any, server: EmbeddedValkey, claimed: Claim, at: int) -> list[int]:
    """How many bytes ten appends send to the server, and how many they add to its append-only file."""
    counts = []
    for appends in (0, 10):
        for number in range(appends):
            await ledger.append(claimed, at + number, [reply("x" * 1000)])
        await asyncio.to_thread(wait_until_on_disk, server.url)
        info = await client.info()
        counts.append((info["total_net_input_bytes"], info["aof_current_size"]))
    return [after - before for before, after in zip(*counts, strict=True)]


async def test_a_scripts_own_failure_is_a_ledger_error(ledger: RedisLedger, client: Any, namespace: str) -> None:
    await client.set(f"{namespace}:run:{{run}}:run", "not a hash")

    with pytest.raises(LedgerError, match="script `start` failed"):
        await ledger.start(new_run())
