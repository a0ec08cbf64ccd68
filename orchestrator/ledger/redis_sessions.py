"""Sessions in Redis: a hash, the list of exchanges, the line, and the latest runs."""

from __future__ import annotations

import json
from collections.abc import Sequence

from orchestrator.entries import Item
from orchestrator.ledger import redis_codec as codec
from orchestrator.ledger.base import Claim, Pointer
from orchestrator.ledger.redis_connection import RedisConnection
from orchestrator.ledger.redis_keys import RedisKeys
from orchestrator.ledger.redis_scripts import RedisScripts
from orchestrator.ledger.sessions import SessionLedger, SessionRecord


class RedisSessions(SessionLedger):
    """The part of the ledger in Redis that keeps sessions."""

    _keys: RedisKeys
    _connection: RedisConnection
    _scripts: RedisScripts

    async def leave_session(self, claim: Claim, exchange: Sequence[Item]) -> list[Pointer]:
        arguments = {"run_id": claim.run_id, "fence": claim.fence}
        texts = [codec.dump_items(exchange)]
        return codec.read_pointers(await self._scripts.call("leave", arguments, texts, run_id=claim.run_id))

    async def session(self, session: str) -> SessionRecord | None:
        key = self._keys.session(session)
        reads = [("HGETALL", key), ("LRANGE", f"{key}:line", 0, -1), ("LRANGE", f"{key}:runs", 0, -1)]
        fields, line, runs, count = await self._connection.pipeline([*reads, ("LLEN", f"{key}:exchanges")])
        if not fields:
            return None
        return SessionRecord(
            session=session,
            floor=fields.get("floor"),
            line=line,
            runs=runs,
            task=fields.get("task"),
            exchanges=count,
            updated_at=int(fields["updated_at"]) / 1000,
        )

    async def exchanges(self, session: str, last: int | None = None) -> list[list[Item]]:
        first = 0 if last is None else -last
        texts = await self._connection.command("LRANGE", f"{self._keys.session(session)}:exchanges", first, -1)
        return [json.loads(text) for text in texts]

    async def add_exchange(self, session: str, items: Sequence[Item]) -> None:
        await self._edit(session, "add", codec.dump_items(items))

    async def pop_exchange(self, session: str) -> list[Item] | None:
        text = await self._edit(session, "pop")
        return json.loads(text) if text else None

    async def clear_session(self, session: str) -> None:
        await self._edit(session, "clear")

    async def _edit(self, session: str, action: str, *entries: str) -> str | None:
        arguments = {"session": session, "action": action}
        text: str | None = await self._scripts.call("edit_session", arguments, entries)
        return text
