"""What the shop's tools and tasks leave behind in the server for tests to read, and what tests set there for them."""

from __future__ import annotations

import json
import os
from typing import Any

import redis


def record(key: str, value: Any) -> None:
    """Leave a trace that tests can read, whichever process was here."""
    _client().rpush(f"effects:{key}", json.dumps(value))


def has_flag(name: str) -> bool:
    """False while the server is away: a restart must not end the tool that waits."""
    try:
        return bool(_client().get(f"flag:{name}"))
    except redis.exceptions.ConnectionError:
        return False


def _client() -> Any:
    global _connection
    if _connection is None or _connection[0] != os.getpid():
        _connection = (os.getpid(), redis.Redis.from_url(os.environ["ORCHESTRATOR_REDIS_URL"]))
    return _connection[1]


_connection: tuple[int, Any] | None = None
