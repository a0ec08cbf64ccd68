"""What the ledger in Redis promises of open waits: what a child's end costs, and those in the format of before."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from orchestrator.embedded import EmbeddedValkey
from orchestrator.entries import Outcome, Parked
from orchestrator.ledger.redis import RedisLedger
from orchestrator.run_ids import child_id
from tests.contract.steps import child_reports, claim, end_child, new_child, park, reply, start_and_claim
from tests.support.stack import wait_until_on_disk

CHILD_1, CHILD_2 = child_id("run", "c1"), child_id("run", "c2")
FAILURE = Outcome(kind="failure", error={"type": "UserError", "message": "no"})


@pytest.fixture
def ledger(redis_ledger: RedisLedger) -> RedisLedger:
    return redis_ledger


@pytest.fixture
async def parked(ledger: RedisLedger, client: Any) -> RedisLedger:
    """A ledger with a run that waits for two children, as it was written before each wait had a field of its own."""
    await park(ledger, await start_and_claim(ledger), "c1", "c2")
    await write_waits_as_before(ledger, client)
    return ledger


async def write_waits_as_before(ledger: RedisLedger, client: Any, run_id: str = "run") -> None:
    summary = await ledger.summary(run_id)
    assert summary
    await client.hdel(ledger._keys.run(run_id), "open_waits", *(f"wait:{call_id}" for call_id in summary.waits))
    await client.hset(ledger._keys.run(run_id), "waits", json.dumps(summary.waits))


async def test_a_childs_end_costs_the_same_however_many_are_waited_for(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path / "valkey") as server:
        ledger, client = RedisLedger(server.url), Redis.from_url(server.url, decode_responses=True)
        await bytes_written_by_ends(ledger, client, server, "warm", children=20)  # loads the scripts
        few = await bytes_written_by_ends(ledger, client, server, "few.", children=20)
        many = await bytes_written_by_ends(ledger, client, server, "many", children=1000)
        await client.aclose()
        await ledger.close_connections()

    assert many == pytest.approx(few, rel=0.05)


async def bytes_written_by_ends(
    ledger: RedisLedger, client: Any, server: EmbeddedValkey, run_id: str, *, children: int
) -> int:
    """What the ends of ten children add to the server's append-only file."""
    calls = [f"c{number:04}" for number in range(children)]
    await park(ledger, await start_and_claim(ledger, run_id), *calls)
    before = await bytes_on_disk(client, server)
    for call_id in calls[:10]:
        await end_child(ledger, run_id, call_id)
    return await bytes_on_disk(client, server) - before


async def bytes_on_disk(client: Any, server: EmbeddedValkey) -> int:
    """The size of the append-only file, once all that was written is in it: a busy disk delays it."""
    await asyncio.to_thread(wait_until_on_disk, server.url)
    info = await client.info("persistence")
    size: int = info["aof_current_size"]
    return size


async def test_run_parked_in_the_old_format_goes_on_when_its_last_child_ends(parked: RedisLedger) -> None:
    assert await end_child(parked, "run", "c2") == []
    [pointer] = await end_child(parked, "run", "c1")

    assert (pointer.run_id, pointer.step) == ("run", 2)
    await claim(parked, step=2)
    assert await child_reports(parked) == [("c2", "answer"), ("c1", "answer")]


async def test_child_that_the_old_format_does_not_name_is_ignored(parked: RedisLedger, client: Any) -> None:
    await client.hset(parked._keys.run("run"), "waits", json.dumps({"c2": CHILD_2}))

    assert await end_child(parked, "run", "c1") == []
    assert await child_reports(parked) == []
    assert len(await end_child(parked, "run", "c2")) == 1


async def test_waits_of_the_old_format_are_shown(parked: RedisLedger) -> None:
    summary = await parked.summary("run")
    assert summary
    assert summary.waits == {"c1": CHILD_1, "c2": CHILD_2}

    await end_child(parked, "run", "c1")

    summary = await parked.summary("run")
    assert summary
    assert summary.waits == {"c2": CHILD_2}


async def test_cancel_reaches_the_children_of_the_old_format(parked: RedisLedger) -> None:
    pointers = await parked.cancel("run")

    assert [pointer.run_id for pointer in pointers] == ["run"]
    assert [(await claim(parked, child)).cancel for child in (CHILD_1, CHILD_2)] == [True, True]


async def test_pause_and_resume_reach_the_children_of_the_old_format(parked: RedisLedger) -> None:
    await parked.pause("run", request_id="p1")
    resting = await claim(parked, CHILD_1)
    await parked.rest(resting, resting.size, [])

    pointers = await parked.resume("run", request_id="r1")

    assert [(pointer.run_id, pointer.step) for pointer in pointers] == [(CHILD_1, 2)]


async def test_run_that_fails_early_cancels_the_children_of_the_old_format(ledger: RedisLedger, client: Any) -> None:
    claimed = await start_and_claim(ledger)
    entry = Parked(waits={"c1": CHILD_1, "c2": CHILD_2}, max_failures=0)
    children = [new_child("run", "c1"), new_child("run", "c2")]
    await ledger.park(claimed, claimed.size, [reply(), entry], children=children, note="")
    await write_waits_as_before(ledger, client)

    [pointer] = await end_child(ledger, "run", "c1", FAILURE)
    woken = await claim(ledger, step=pointer.step)
    await ledger.end(woken, woken.size, [], FAILURE)

    assert (await claim(ledger, CHILD_2)).cancel


async def test_new_park_takes_the_place_of_waits_of_the_old_format(ledger: RedisLedger, client: Any) -> None:
    await park(ledger, await start_and_claim(ledger), "c1", "c2", timer_at=1.0)
    await write_waits_as_before(ledger, client)
    [*_, pointer] = await ledger.reconcile(10)
    woken = await claim(ledger, step=pointer.step)

    await ledger.park(woken, woken.size, [Parked(waits={"c2": CHILD_2})], children=[], note="")

    summary = await ledger.summary("run")
    assert summary
    assert summary.waits == {"c2": CHILD_2}
    assert len(await end_child(ledger, "run", "c2")) == 1
