"""The store of limits in Redis or Valkey: each move of a ticket is one Lua script in `limit_scripts/`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from redis.commands.core import AsyncScript
from redis.exceptions import ResponseError

from orchestrator.errors import LedgerError
from orchestrator.ledger import limits as rules
from orchestrator.ledger.limits import Answer, LimitStore, LimitUse, Served, TenantUse, Ticket
from orchestrator.ledger.redis_connection import RedisConnection
from orchestrator.ledger.redis_scripts import milliseconds
from orchestrator.limits import Caps, Limit

PATIENCE_SECONDS = 8.0

_RUN_WHEN_FULL = frozenset({"settle"})
_NO_USE = {"requests": 0, "tokens": 0, "held": 0, "waiting": 0, "parked": 0}


class RedisLimitStore(LimitStore):
    """Limits beside the ledger, on the same server. Connects at the first call."""

    def __init__(self, url: str, *, namespace: str = "orchestrator") -> None:
        self._namespace = namespace
        self._connection = RedisConnection(url, patience_seconds=PATIENCE_SECONDS)
        self._scripts: dict[str, AsyncScript] = {}

    async def serve(self, limit: Limit, asking: Sequence[Ticket], held: Sequence[Ticket] = ()) -> Served:
        wishes = [_wish(ticket, limit) for ticket in asking]
        arguments = {"asking": wishes, "held": [{"id": ticket.id, "owner": ticket.owner} for ticket in held]}
        answer = json.loads(await self._call("serve", limit, arguments))
        answers = [Answer(is_granted, wait / 1000) for is_granted, wait in answer["answers"]]
        return Served(answers, [(run_id, int(step)) for run_id, step in answer["called"]])

    async def park(self, limit: Limit, ticket: Ticket, *, seconds: float) -> bool:
        lasts = milliseconds(seconds + rules.PARKED_SPARE_SECONDS)
        return bool(await self._call("park", limit, {"ticket": _wish(ticket, limit), "lasts": lasts}))

    async def settle(self, limit: Limit, ticket: Ticket, *, tokens: int | None = None) -> None:
        known = {} if tokens is None else {"tokens": tokens}
        await self._call("settle", limit, {"ticket": _wish(ticket, limit), **known})

    async def pause(self, limit: Limit, seconds: float) -> None:
        await self._call("pause", limit, {"milliseconds": milliseconds(seconds)})

    async def use(self, limit: Limit) -> LimitUse:
        answer = json.loads(await self._call("use", limit, {}))
        scopes = dict(answer["scopes"])
        total = TenantUse(tenant="", **(scopes.pop("all", None) or _NO_USE))
        tenants = [TenantUse(tenant=name.partition(":")[2], **fields) for name, fields in sorted(scopes.items())]
        return LimitUse(paused_seconds=answer["paused"] / 1000, total=total, tenants=tenants)

    async def close_connections(self) -> None:
        await self._connection.close()

    async def _call(self, name: str, limit: Limit, arguments: Mapping[str, Any]) -> Any:
        if name not in self._scripts:
            self._scripts[name] = self._connection.commands.register_script(_read_script(name))
        script = self._scripts[name]
        # One prefix, with the pattern as its hash tag: a limit's keys live together.
        keys = [f"{self._namespace}:limit:{{{limit.name}}}:"]
        values = [_limit_json(limit), json.dumps(arguments, ensure_ascii=False)]
        try:
            return await self._connection.run(script, keys, values)
        except ResponseError as error:
            raise LedgerError(f"The script `{name}` of limit `{limit.name}` failed: {error}") from error


@cache
def _read_script(name: str) -> str:
    folder = files("orchestrator.ledger") / "limit_scripts"
    flags = "allow-oom" if name in _RUN_WHEN_FULL else ""
    parts = [(folder / f"{part}.lua").read_text(encoding="utf-8") for part in ("common", name)]
    return "\n".join([f"#!lua flags={flags}", *parts])


def _wish(ticket: Ticket, limit: Limit) -> dict[str, Any]:
    return {
        "id": ticket.id,
        "owner": ticket.owner,
        "run": ticket.run_id,
        "step": ticket.step,
        "tenant": ticket.tenant,
        "tokens": ticket.tokens,
        "priority": ticket.priority,
        "weight": limit.weight_of(ticket.tenant),
    }


@cache
def _limit_json(limit: Limit) -> str:
    return json.dumps(
        {
            "caps": _caps(limit),
            "per_tenant": _caps(limit.per_tenant),
            "burst": limit.burst,
            "ahead": milliseconds(rules.AHEAD_SECONDS),
            "call_ahead": milliseconds(rules.CALL_AHEAD_SECONDS),
            "called": milliseconds(rules.CALLED_SECONDS),
            "max_calls": rules.MAX_CALLS,
            "max_called": rules.MAX_CALLED,
            "presence": milliseconds(rules.PRESENCE_SECONDS),
            "place": milliseconds(rules.PLACE_SECONDS),
            "lease": milliseconds(rules.LEASE_SECONDS),
        }
    )


def _caps(caps: Caps) -> dict[str, float]:
    """Without nulls: cjson takes them for values."""
    given = {
        "request_ms": rules.pace_ms(caps.requests_per_minute),
        "token_ms": rules.pace_ms(caps.tokens_per_minute),
        "concurrent": caps.concurrent,
    }
    return {name: value for name, value in given.items() if value is not None}
