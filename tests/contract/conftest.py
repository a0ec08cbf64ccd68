"""Fixtures for the ledger suites: each test runs on every ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from orchestrator.ledger.base import Ledger, LedgerSettings
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
