"""Looks at what a Redis says of itself for what could lose the ledger's runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.risks import Risk

Version = tuple[int, ...]
OLDEST_VERSION: Version = (7, 0)
"""Scripts begin with a line of flags."""
WAITING_VERSION: Version = (7, 2)
"""WAITAOF."""


def find_server_risks(info: Mapping[str, Any], appendfsync: str | None) -> Iterator[Risk]:
    """What is risky. `info`: the answer to INFO. `appendfsync`: `None` if the server does not tell."""
    yield from _risky_version(info)
    yield from _risky_memory(info)
    if not info.get("aof_enabled", 1):
        yield Risk(
            "The ledger's server keeps no append-only file: a restart loses the runs since its last snapshot.",
            "Set `appendonly yes`.",
        )
    elif appendfsync == "no":
        yield Risk(
            "The ledger's server has `appendfsync no`: if it loses power, the last half minute of runs is gone.",
            "Set `appendfsync everysec`, or `always` to lose nothing.",
        )


def _risky_version(info: Mapping[str, Any]) -> Iterator[Risk]:
    # Valkey says here which Redis it is like.
    text = str(info.get("redis_version", ""))
    version = tuple(int(part) for part in text.split(".") if part.isdigit())
    if not version:
        return
    if version < OLDEST_VERSION:
        yield Risk(
            f"The ledger's server is Redis {text}: the ledger's scripts do not run there.",
            "Use Redis 7.2 or newer, or Valkey.",
            is_refused=True,
        )
    elif version < WAITING_VERSION and not info.get("valkey_version"):
        yield Risk(
            f"The ledger's server is Redis {text}, which cannot wait for its disk: after a loss of power, a tool with "
            "on_interrupt='report' may begin again.",
            "Use Redis 7.2 or newer, or Valkey.",
        )


def _risky_memory(info: Mapping[str, Any]) -> Iterator[Risk]:
    policy, limit = str(info.get("maxmemory_policy", "noeviction")), int(info.get("maxmemory", 0))
    if policy == "noeviction":
        return
    remedy = "Set `maxmemory-policy noeviction`: a full server then says so."
    if policy.startswith("allkeys"):
        when = "when its memory is full" if limit else "as soon as somebody sets its `maxmemory`"
        text = f"The ledger's server has `maxmemory-policy {policy}`: it throws runs away {when}."
        yield Risk(text, remedy, is_refused=limit > 0)
    else:
        yield Risk(
            f"The ledger's server has `maxmemory-policy {policy}`: when its memory is full, it throws away results and "
            "ended runs, whose messages may then begin them again.",
            remedy,
        )
