"""Whoever waits for a run's outcome has it as soon as it is set, whatever gets lost on the way."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from orchestrator.ledger import redis_outcomes
from orchestrator.ledger.base import Ledger
from orchestrator.ledger.redis import RedisLedger
from tests.contract.steps import ANSWER, start_and_claim

SECONDS = 60.0


async def begin_to_wait(ledger: Ledger, run_id: str = "run") -> asyncio.Task[object]:
    waiting: asyncio.Task[object] = asyncio.create_task(ledger.wait_for_outcome(run_id))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    return waiting


async def test_outcome_reaches_all_that_wait_for_it(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_outcomes, "LOOK_SECONDS", 10 * SECONDS)
    claim = await start_and_claim(ledger)
    other = await start_and_claim(ledger, "other")
    waiting = [await begin_to_wait(ledger), await begin_to_wait(ledger)]
    not_yet = await begin_to_wait(ledger, "other")

    await ledger.end(claim, claim.size, [], ANSWER)

    async with asyncio.timeout(SECONDS):
        assert await asyncio.gather(*waiting) == [ANSWER, ANSWER]
        assert not not_yet.done()
        await ledger.end(other, other.size, [], ANSWER)
        assert await not_yet == ANSWER


async def test_outcome_that_is_there_is_not_waited_for(ledger: Ledger) -> None:
    claim = await start_and_claim(ledger)
    await ledger.end(claim, claim.size, [], ANSWER)

    assert await asyncio.wait_for(ledger.wait_for_outcome("run"), SECONDS) == ANSWER


async def test_run_that_does_not_exist_is_not_waited_for(ledger: Ledger) -> None:
    assert await asyncio.wait_for(ledger.wait_for_outcome("unknown"), SECONDS) is None


async def test_wait_that_is_given_up_disturbs_no_other(ledger: Ledger) -> None:
    claim = await start_and_claim(ledger)
    patient, given_up = await begin_to_wait(ledger), await begin_to_wait(ledger)

    given_up.cancel()
    await asyncio.wait([given_up])
    await ledger.end(claim, claim.size, [], ANSWER)

    assert await asyncio.wait_for(patient, SECONDS) == ANSWER


async def test_outcome_that_was_published_to_nobody_is_found(
    redis_ledger: RedisLedger, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_outcomes, "LOOK_SECONDS", 0.3)
    claim = await start_and_claim(redis_ledger)
    waiting = await begin_to_wait(redis_ledger)

    async with Redis.from_url(valkey_url) as client:
        await client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        await redis_ledger.end(claim, claim.size, [], ANSWER)

    assert await asyncio.wait_for(waiting, SECONDS) == ANSWER


async def test_subscription_that_broke_is_made_again(
    redis_ledger: RedisLedger, valkey_url: str, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_outcomes, "LOOK_SECONDS", 10 * SECONDS)
    claim = await start_and_claim(redis_ledger)
    waiting = await begin_to_wait(redis_ledger)

    async with Redis.from_url(valkey_url) as client:
        await client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        async with asyncio.timeout(SECONDS):
            while not await client.pubsub_channels(f"{namespace}:outcome:*"):
                await asyncio.sleep(0.05)
    await redis_ledger.end(claim, claim.size, [], ANSWER)

    assert await asyncio.wait_for(waiting, SECONDS) == ANSWER


async def test_outcome_is_found_over_the_older_protocol(valkey_url: str, namespace: str) -> None:
    ledger = RedisLedger(f"{valkey_url}?protocol=2", namespace=namespace)
    claim = await start_and_claim(ledger)
    waiting = await begin_to_wait(ledger)

    await ledger.end(claim, claim.size, [], ANSWER)

    assert await asyncio.wait_for(waiting, SECONDS) == ANSWER
    await ledger.close_connections()


async def test_channels_are_left_alone_over_the_older_protocol(
    valkey_url: str, namespace: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(redis_outcomes, "MAX_LEFT", 2)
    ledger = RedisLedger(f"{valkey_url}?protocol=2", namespace=namespace)
    for number in range(4):
        claim = await start_and_claim(ledger, f"run{number}")
        await ledger.end(claim, claim.size, [], ANSWER)

        assert await asyncio.wait_for(ledger.wait_for_outcome(claim.run_id), SECONDS) == ANSWER
    await ledger.close_connections()
    assert caplog.messages == []  # an answer too many breaks the connection, and asyncio says so


async def test_user_who_may_not_subscribe_finds_outcomes_by_looking(
    valkey_url: str, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_outcomes, "LOOK_SECONDS", 0.3)
    async with Redis.from_url(valkey_url) as client:
        await client.execute_command("ACL", "SETUSER", namespace, "on", ">pass", "~*", "+@all", "resetchannels")
        ledger = RedisLedger(valkey_url.replace("://", f"://{namespace}:pass@"), namespace=namespace)
        claims = [await start_and_claim(ledger, run_id) for run_id in ("one", "two")]
        waiting = [await begin_to_wait(ledger, claim.run_id) for claim in claims]

        for claim in claims:
            await ledger.end(claim, claim.size, [], ANSWER)

        assert await asyncio.wait_for(asyncio.gather(*waiting), SECONDS) == [ANSWER, ANSWER]
        await ledger.close_connections()
        await client.execute_command("ACL", "DELUSER", namespace)


async def test_channels_that_nobody_hears_are_left_together(
    redis_ledger: RedisLedger, valkey_url: str, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_outcomes, "MAX_LEFT", 3)
    async with Redis.from_url(valkey_url, decode_responses=True) as client:
        heard = []
        for number in range(5):
            claim = await start_and_claim(redis_ledger, f"run{number}")
            waiting = await begin_to_wait(redis_ledger, claim.run_id)
            await redis_ledger.end(claim, claim.size, [], ANSWER)
            await waiting
            await redis_ledger.wait_for_outcome("unknown")  # what was left is left by now
            heard.append(len(await client.pubsub_channels(f"{namespace}:outcome:run*")))

    assert max(heard) <= 3
