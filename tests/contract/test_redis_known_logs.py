"""What a claim of a long run in Redis reads: what is new, if the same process has read the rest before."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from orchestrator.entries import Entry
from orchestrator.ledger import redis_known_logs
from orchestrator.ledger.base import Ledger
from orchestrator.ledger.redis import RedisLedger
from orchestrator.ledger.redis_known_logs import LONG
from tests.contract.steps import claim, end_child, park, reply, start_and_claim

TEXT = "x" * 1000
NEW_BYTES = 20_000
"""Less than a tenth of the log in these tests."""


@pytest.fixture
async def make_worker(valkey_url: str, namespace: str) -> AsyncIterator[Callable[[], RedisLedger]]:
    """Ledgers of several processes."""
    made: list[RedisLedger] = []

    def make() -> RedisLedger:
        made.append(RedisLedger(valkey_url, namespace=namespace))
        return made[-1]

    yield make
    for ledger in made:
        await ledger.close_connections()


async def start_long_run(ledger: Ledger) -> None:
    """A run that has a long log, is parked, and has been claimed by this process at step 2."""
    claimed = await start_and_claim(ledger)
    await ledger.append(claimed, claimed.size, [reply(TEXT)] * 5 * LONG)
    claimed = await claim(ledger)
    await park(ledger, claimed, "c1")
    await end_child(ledger, "run", "c1")
    await park(ledger, await claim(ledger, step=2), "c2")


async def goes_on(ledger: Ledger) -> list[Entry]:
    """The log as the next claim has it."""
    await end_child(ledger, "run", "c2")
    return (await claim(ledger, step=3)).entries


async def stored(ledger: Ledger) -> list[Entry]:
    return [entry for _, entry in await ledger.entries("run")]


async def bytes_sent(client: Any) -> int:
    sent: int = (await client.info("stats"))["total_net_output_bytes"]
    return sent


async def test_claim_of_a_long_run_is_sent_what_is_new(make_worker: Callable[[], RedisLedger], client: Any) -> None:
    worker = make_worker()
    await start_long_run(worker)

    before = await bytes_sent(client)
    entries = await goes_on(worker)
    after = await bytes_sent(client)

    assert after - before < NEW_BYTES
    assert entries == await stored(worker)


async def test_process_that_has_not_read_the_log_gets_all_of_it(make_worker: Callable[[], RedisLedger]) -> None:
    worker, other = make_worker(), make_worker()
    await start_long_run(worker)

    assert await goes_on(other) == await stored(worker)


async def test_process_reads_what_others_have_written_meanwhile(make_worker: Callable[[], RedisLedger]) -> None:
    worker, other = make_worker(), make_worker()
    await start_long_run(worker)
    await goes_on(other)
    claimed = await claim(other, step=3)
    await other.append(claimed, claimed.size, [reply("of another")])
    await park(other, await claim(other, step=3), "c3")
    await end_child(other, "run", "c3")

    assert (await claim(worker, step=4)).entries == await stored(worker)


async def test_log_whose_end_the_server_has_lost_is_read_again(
    make_worker: Callable[[], RedisLedger], client: Any
) -> None:
    """As after a crash of the server, which may take the last second with it."""
    worker = make_worker()
    await start_long_run(worker)
    log_key = worker._keys.log("run")
    for position, _ in (await worker.entries("run"))[-4:]:
        await client.xdel(log_key, position)

    entries = await goes_on(worker)

    assert entries == await stored(worker)


async def test_only_so_much_is_kept(make_worker: Callable[[], RedisLedger], monkeypatch: pytest.MonkeyPatch) -> None:
    worker = make_worker()
    await start_long_run(worker)
    one = worker._known_logs.find("run").characters
    monkeypatch.setattr(redis_known_logs, "KEPT_CHARACTERS", 2.5 * one)
    for run_id in ("first", "second", "third"):
        claimed = await start_and_claim(worker, run_id)
        await worker.append(claimed, claimed.size, [reply(TEXT)] * 5 * LONG)
        await claim(worker, run_id)

    known = [bool(worker._known_logs.find(run_id).last) for run_id in ("first", "second", "third")]

    assert known == [False, True, True]
    assert not worker._known_logs.find("run").last


async def test_short_log_is_not_kept(make_worker: Callable[[], RedisLedger]) -> None:
    worker = make_worker()
    await start_and_claim(worker)

    assert worker._known_logs.find("run").last is None


async def test_log_that_could_not_be_read_to_its_end_is_not_kept(
    make_worker: Callable[[], RedisLedger], client: Any
) -> None:
    worker = make_worker()
    claimed = await start_and_claim(worker)
    await worker.append(claimed, claimed.size, [reply(TEXT)] * LONG)
    await client.xadd(worker._keys.log("run"), {"e": '{"v":1,"type":"of no kind"}'})

    damaged = [await claim(worker) for _ in range(2)]

    assert all(found.damage for found in damaged)
