"""Runs in Redis as they happen: streams that readers follow, and the key with which a reader announces itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from itertools import chain

from orchestrator.delta import Delta
from orchestrator.entries import Entry, Outcome, Reply, load_entry
from orchestrator.ledger.live import DELTA_SECONDS, DELTAS_KEPT, START, LiveLedger, Position
from orchestrator.ledger.redis_codec import load_outcome
from orchestrator.ledger.redis_connection import RedisConnection
from orchestrator.ledger.redis_keys import RedisKeys
from orchestrator.ledger.redis_outcomes import OutcomeNews


class RedisLive(LiveLedger):
    """The live part of the ledger in Redis."""

    _keys: RedisKeys
    _connection: RedisConnection
    _news: OutcomeNews

    async def watch(self, run_id: str, *, seconds: float) -> None:
        await self._connection.command("SET", self._keys.watch(run_id), 1, "PX", round(seconds * 1000))

    async def publish_delta(self, run_id: str, delta: Delta) -> None:
        key = self._keys.deltas(run_id)
        add = ("XADD", key, "MAXLEN", "~", DELTAS_KEPT, "*", "d", delta.model_dump_json())
        # Not repeated: a piece that comes late is worth less than the run's next step.
        await self._connection.pipeline([add, ("EXPIRE", key, round(DELTA_SECONDS))], patient=False)

    async def has_delta(self, run_id: str, position: Position) -> bool:
        return bool(await self._connection.command("XRANGE", self._keys.deltas(run_id), position, position))

    async def follow_cancels(self, after: Position | None, *, timeout_seconds: float) -> tuple[Position, list[str]]:
        if after is None:
            newest = await self._connection.command("XREVRANGE", self._keys.cancels, "+", "-", "COUNT", 1)
            return (newest[0][0] if newest else START), []
        found = await self._connection.wait_for_entries([self._keys.cancels], [after], seconds=timeout_seconds)
        items = [item for _, items in found or [] for item in items]
        return (items[-1][0] if items else after), [fields["r"] for _, fields in items]

    async def follow(
        self,
        positions: Mapping[str, Position],
        *,
        deltas: Mapping[str, Position] | None = None,
        timeout_seconds: float,
    ) -> list[tuple[str, Position, Entry | Delta]]:
        deltas = deltas or {}
        names = [*map(self._keys.log, positions), *map(self._keys.deltas, deltas)]
        run_ids = dict(zip(names, chain(positions, deltas), strict=True))
        after = [*positions.values(), *deltas.values()]
        deadline = time.monotonic() + timeout_seconds
        while names:
            remaining = deadline - time.monotonic()
            found = await self._connection.wait_for_entries(names, after, seconds=remaining)
            if found or remaining <= self._connection.block_seconds:
                return _in_order(
                    [(run_ids[key], position, _load(fields)) for key, items in found for position, fields in items]
                )
        return []

    async def wait_for_outcome(self, run_id: str) -> Outcome | None:
        with self._news.hearing(self._keys.outcome(run_id)) as news:
            while not news.done():
                status, outcome = await self._news.fields(self._keys.run(run_id), "status", "outcome")
                if outcome or not status:
                    return load_outcome(outcome) if outcome else None
                await asyncio.wait([news], timeout=self._news.look_seconds)
            return load_outcome(news.result())


def _load(fields: Mapping[str, str]) -> Entry | Delta:
    return load_entry(fields["e"]) if "e" in fields else Delta.model_validate_json(fields["d"])


def _in_order(found: list[tuple[str, Position, Entry | Delta]]) -> list[tuple[str, Position, Entry | Delta]]:
    """By time, which is all that streams have in common. In one millisecond, a reply comes after its pieces."""
    times = [int(position.partition("-")[0]) for _, position, _ in found]
    replies: dict[tuple[str, int], int] = {}
    for number, (run_id, _, entry) in enumerate(found):
        if isinstance(entry, Reply | Outcome):
            replies.setdefault((run_id, times[number]), number)

    def order(number: int) -> tuple[int, float, int]:
        run_id, _, entry = found[number]
        place = replies.get((run_id, times[number]), len(found)) - 0.5 if isinstance(entry, Delta) else number
        return times[number], place, number

    return [found[number] for number in sorted(range(len(found)), key=order)]
