"""Fixtures for the suites: each test runs on every ledger, or on every store of limits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from orchestrator.ledger import limits
from orchestrator.ledger.base import Ledger, LedgerSettings
from orchestrator.ledger.limits import LimitStore
from orchestrator.ledger.limits_memory import MemoryLimitStore
from orchestrator.ledger.limits_redis import RedisLimitStore
from orchestrator.ledger.memory import MemoryLedger
from orchestrator.ledger.redis import RedisLedger

MakeLedger = Callable[[LedgerSettings], Ledger]

HASTY = LedgerSettings(
    grace_seconds=0.2,
    max_grace_seconds=0.8,
    lease_seconds=0.2,
    retention_seconds=0.5,
    session_retention_seconds=0.5,
    max_tries=2,
)


@pytest.fixture(params=["memory", "redis"])
async def make_ledger(request: pytest.FixtureRequest, namespace: str) -> AsyncIterator[MakeLedger]:
    made: list[Ledger] = []

    def make(settings: LedgerSettings) -> Ledger:
        if request.param == "memory":
            made.append(MemoryLedger(settings))
        else:
            made.append(RedisLedger(request.getfixturevalue("valkey_url"), namespace=namespace, settings=settings))
        return made[-1]

    yield make
    for ledger in made:
        await ledger.close_connections()


@pytest.fixture
def ledger(make_ledger: MakeLedger) -> Ledger:
    """A ledger with the times of production."""
    return make_ledger(LedgerSettings())


@pytest.fixture
def hasty(make_ledger: MakeLedger) -> Ledger:
    """A ledger whose deadlines pass within a test."""
    return make_ledger(HASTY)


@pytest.fixture
async def redis_ledger(valkey_url: str, namespace: str) -> AsyncIterator[RedisLedger]:
    """For what only the ledger in Redis promises."""
    made = RedisLedger(valkey_url, namespace=namespace)
    yield made
    await made.close_connections()


@pytest.fixture
async def client(valkey_url: str) -> AsyncIterator[Any]:
    """A client of the same server, to look behind the ledger's back."""
    made = Redis.from_url(valkey_url, decode_responses=True)
    yield made
    await made.aclose()


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest, namespace: str) -> AsyncIterator[LimitStore]:
    made: LimitStore
    if request.param == "memory":
        made = MemoryLimitStore()
    else:
        made = RedisLimitStore(request.getfixturevalue("valkey_url"), namespace=namespace)
    yield made
    await made.close_connections()


@pytest.fixture
def hasty_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What lapses does so within a test. In its own limits only: the store keeps what it made of a limit."""
    monkeypatch.setattr(limits, "LEASE_SECONDS", 3.0)
    for name in ("PRESENCE_SECONDS", "CALLED_SECONDS"):
        monkeypatch.setattr(limits, name, 0.2)
