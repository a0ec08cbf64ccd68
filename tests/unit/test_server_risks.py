"""What a Redis says of itself that could lose runs."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.ledger.server_risks import find_server_risks

SAFE: dict[str, Any] = {
    "redis_version": "7.2.4",
    "valkey_version": "9.1.2",
    "aof_enabled": 1,
    "maxmemory": 0,
    "maxmemory_policy": "noeviction",
}


def test_server_as_the_documentation_wants_it_is_safe() -> None:
    assert list(find_server_risks(SAFE, "everysec")) == []
    assert list(find_server_risks(SAFE, None)) == []
    assert list(find_server_risks({}, None)) == []


@pytest.mark.parametrize(
    ("changes", "appendfsync", "named", "is_refused"),
    [
        ({"redis_version": "6.2.14", "valkey_version": None}, None, "6.2.14", True),
        ({"redis_version": "7.0.15", "valkey_version": None}, None, "cannot wait for its disk", False),
        ({"maxmemory_policy": "allkeys-lru", "maxmemory": 10**9}, None, "allkeys-lru", True),
        ({"maxmemory_policy": "allkeys-lru"}, None, "as soon as", False),
        ({"maxmemory_policy": "volatile-lru", "maxmemory": 10**9}, None, "volatile-lru", False),
        ({"aof_enabled": 0}, None, "append-only", False),
        ({}, "no", "appendfsync no", False),
    ],
)
def test_what_could_lose_runs_is_named(
    changes: dict[str, Any], appendfsync: str | None, named: str, is_refused: bool
) -> None:
    [risk] = find_server_risks({**SAFE, **changes}, appendfsync)

    assert named in risk.text
    assert risk.remedy
    assert risk.is_refused == is_refused
