"""The ledger in Redis or Valkey: each move of a run is one Lua script in `scripts/`."""

from __future__ import annotations

import time
from collections.abc import Sequence

from orchestrator.entries import Decided, Entry, EntryBase, dump_entry, load_entry
from orchestrator.ledger import redis_codec as codec
from orchestrator.ledger.base import (
    AgentRecord,
    CancelledMeanwhile,
    Claim,
    Ledger,
    LedgerSettings,
    NewRun,
    Pointer,
    Renewal,
    RunSummary,
)
from orchestrator.ledger.directory import dump_record, load_record, select_records
from orchestrator.ledger.entry_rules import read_entries
from orchestrator.ledger.live import START, Notice, Position
from orchestrator.ledger.redis_claims import RedisClaims
from orchestrator.ledger.redis_connection import RedisConnection
from orchestrator.ledger.redis_keys import RedisKeys
from orchestrator.ledger.redis_known_logs import KnownLogs
from orchestrator.ledger.redis_live import RedisLive
from orchestrator.ledger.redis_outcomes import OutcomeNews
from orchestrator.ledger.redis_scripts import RedisScripts, milliseconds
from orchestrator.ledger.redis_sessions import RedisSessions
from orchestrator.ledger.server_risks import find_server_risks
from orchestrator.risks import Risk
from orchestrator.usage import Usage

PATIENCE_SECONDS = 8.0
"""How long a call outlasts a server that is away: longer than a restart, shorter than a lease."""


RECENT_BATCH = 500
"""How many runs are read at once in the search for a tag."""


class RedisLedger(RedisClaims, RedisLive, RedisSessions, Ledger):
    """Runs on one Redis or Valkey primary, version 7 or newer. Connects at the first call."""

    def __init__(
        self,
        url: str,
        *,
        namespace: str = "orchestrator",
        settings: LedgerSettings | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self.settings = settings or LedgerSettings()
        self._keys = RedisKeys(namespace)
        self._connection = RedisConnection(url, patience_seconds=patience_seconds)
        self._scripts = RedisScripts(self._connection, self._keys, self.settings)
        self._news = OutcomeNews(self._connection)
        self._known_logs = KnownLogs()

    # ---- scripts ----------------------------------------------------------------------------

    async def start(self, run: NewRun) -> Pointer | None:
        arguments = {"new": codec.new_run_arguments(run)}
        texts = [dump_entry(entry) for entry in (run.entry, *run.copied)]
        rows = await self._scripts.call("start", arguments, texts, run_id=run.run_id)
        return next(iter(codec.read_pointers(rows)), None)

    async def append(
        self,
        claim: Claim,
        at: int,
        entries: Sequence[EntryBase],
        *,
        started: Sequence[str] = (),
        settled: Sequence[str] = (),
        usage: Usage | None = None,
        durable: bool = False,
    ) -> Notice:
        arguments = codec.write_arguments(
            claim, at, read_entries(entries, started=started, settled=settled, usage=usage)
        )
        texts = [dump_entry(entry) for entry in entries]
        answer = await self._scripts.call("append", arguments, texts, run_id=claim.run_id, durable=durable)
        return codec.read_notice(answer)

    async def hand_over(
        self,
        claim: Claim,
        at: int,
        entries: Sequence[EntryBase],
        *,
        task: str,
        queue: str | None,
        note: str,
        usage: Usage | None = None,
    ) -> list[Pointer]:
        arguments = codec.commit_arguments(claim, at, read_entries(entries, usage=usage)) | {"task": task, "note": note}
        if queue is not None:
            arguments["queue"] = queue
        texts = [dump_entry(entry) for entry in entries]
        outcome, rows = await self._scripts.call("hand_over", arguments, texts, run_id=claim.run_id)
        return _raise_if_ended(outcome, codec.read_pointers(rows))

    async def park(
        self,
        claim: Claim,
        at: int,
        entries: Sequence[EntryBase],
        *,
        children: Sequence[NewRun],
        note: str,
        settled: Sequence[str] = (),
        timer_at: float | None = None,
        usage: Usage | None = None,
    ) -> list[Pointer]:
        writing = read_entries(entries, settled=settled, usage=usage)
        arguments = codec.commit_arguments(claim, at, writing)
        arguments |= {
            "note": note,
            "children": [codec.new_run_arguments(child, caller=claim.task) for child in children],
            "known_waits": writing.known_waits(children),
            "questions": [codec.question_arguments(question) for question in writing.questions],
        }
        if writing.max_failures is not None:
            arguments["max_failures"] = writing.max_failures
        if timer_at is not None:
            arguments["timer_at"] = milliseconds(timer_at)
        texts = [dump_entry(entry) for entry in [*entries, *(child.entry for child in children)]]
        outcome, rows = await self._scripts.call("park", arguments, texts, run_id=claim.run_id)
        return _raise_if_ended(outcome, codec.read_pointers(rows))

    async def release(
        self, claim: Claim, at: int, entries: Sequence[EntryBase], *, usage: Usage | None = None
    ) -> list[Pointer]:
        arguments = codec.write_arguments(claim, at, read_entries(entries, usage=usage))
        texts = [dump_entry(entry) for entry in entries]
        return codec.read_pointers(await self._scripts.call("release", arguments, texts, run_id=claim.run_id))

    async def close(self, claim: Claim) -> None:
        arguments = {"run_id": claim.run_id, "fence": claim.fence}
        await self._scripts.call("close", arguments, run_id=claim.run_id)

    async def decide(self, run_id: str, decided: Decided, *, decision_id: str) -> list[Pointer]:
        arguments = codec.decide_arguments(run_id, decided, decision_id)
        return codec.read_pointers(await self._scripts.call("decide", arguments, [dump_entry(decided)], run_id=run_id))

    async def cancel(self, run_id: str, *, reason: str | None = None) -> list[Pointer]:
        arguments = {"run_id": run_id} | ({"reason": reason} if reason else {})
        return codec.read_pointers(await self._scripts.call("cancel", arguments, run_id=run_id))

    async def pause(self, run_id: str, *, request_id: str) -> None:
        await self._scripts.call("pause", {"run_id": run_id, "request": request_id}, run_id=run_id)

    async def resume(self, run_id: str, *, request_id: str) -> list[Pointer]:
        arguments = {"run_id": run_id, "request": request_id}
        return codec.read_pointers(await self._scripts.call("resume", arguments, run_id=run_id))

    async def rest(
        self, claim: Claim, at: int, entries: Sequence[EntryBase], *, usage: Usage | None = None
    ) -> list[Pointer]:
        arguments = codec.commit_arguments(claim, at, read_entries(entries, usage=usage)) | {"note": "paused"}
        texts = [dump_entry(entry) for entry in entries]
        outcome, rows = await self._scripts.call("rest", arguments, texts, run_id=claim.run_id)
        return _raise_if_ended(outcome, codec.read_pointers(rows))

    async def renew(self, held: Sequence[tuple[str, int]]) -> list[Renewal]:
        if not held:
            return []
        answers: list[Renewal] = await self._scripts.call("renew", {"held": held})
        return answers

    async def reconcile(self, limit: int) -> list[Pointer]:
        return codec.read_pointers(await self._scripts.call("reconcile", {"limit": limit}))

    async def hasten(self, sleeping: Sequence[tuple[str, int]]) -> None:
        await self._scripts.call("hasten", {"sleeping": sleeping})

    # ---- reads ------------------------------------------------------------------------------

    async def summary(self, run_id: str) -> RunSummary | None:
        return codec.read_summary(run_id, await self._connection.command("HGETALL", self._keys.run(run_id)))

    async def entries(self, run_id: str, after: Position = START) -> list[tuple[Position, Entry]]:
        items = await self._connection.command("XRANGE", self._keys.log(run_id), f"({after}", "+")
        return [(position, load_entry(fields["e"])) for position, fields in items]

    async def recent(self, limit: int, *, tag: str | None = None) -> list[RunSummary]:
        summaries: list[RunSummary] = []
        looked_at = 0
        while len(summaries) < limit:
            batch = limit - len(summaries) if tag is None else RECENT_BATCH
            ids = await self._connection.command("ZREVRANGE", self._keys.runs, looked_at, looked_at + batch - 1)
            if not ids:
                break
            found = await self._summarise(ids)
            summaries += [summary for summary in found if tag is None or tag in summary.tags]
            looked_at += len(found)
            gone = set(ids) - {summary.run_id for summary in found}
            if gone:  # older ones move up into the places of those that have expired
                await self._connection.command("ZREM", self._keys.runs, *gone)
        return summaries[:limit]

    async def deadlines(self, limit: int) -> list[tuple[str, float]]:
        rows: list[tuple[str, str]] = []
        for key in (self._keys.due, self._keys.queued):
            rows += await self._connection.command("ZRANGE", key, 0, limit - 1, "WITHSCORES")
        found = [(run_id, float(deadline) / 1000) for run_id, deadline in rows]
        return sorted(found, key=lambda pair: pair[1])[:limit]

    async def deadline(self, run_id: str) -> float | None:
        commands = [("ZSCORE", key, run_id) for key in (self._keys.due, self._keys.queued)]
        scores = [float(score) for score in await self._connection.pipeline(commands) if score is not None]
        return min(scores) / 1000 if scores else None

    async def announce(self, records: Sequence[AgentRecord], *, expire_seconds: float) -> None:
        pairs: list[str | float] = []
        for record in records:
            pairs += [record.seen_at, dump_record(record, expire_seconds)]
        if pairs:
            await self._connection.command("ZADD", self._keys.loaded, *pairs)
            oldest = time.time() - self.settings.retention_seconds
            await self._connection.command("ZREMRANGEBYSCORE", self._keys.loaded, "-inf", oldest)

    async def loaded(self) -> list[AgentRecord]:
        rows = await self._connection.command("ZRANGE", self._keys.loaded, 0, -1, "WITHSCORES")
        return select_records((load_record(text, float(seen_at)) for text, seen_at in rows), time.time())

    async def ping(self) -> None:
        await self._connection.command("PING", patient=False)

    async def risks(self) -> list[Risk]:
        info, appendfsync = await self._connection.describe_server()
        return list(find_server_risks(info, appendfsync))

    async def close_connections(self) -> None:
        await self._news.close()
        await self._connection.close()

    async def _summarise(self, ids: Sequence[str]) -> list[RunSummary]:
        hashes = await self._connection.pipeline([("HGETALL", self._keys.run(run_id)) for run_id in ids])
        summaries = (codec.read_summary(run_id, fields) for run_id, fields in zip(ids, hashes, strict=True))
        return [summary for summary in summaries if summary]


def _raise_if_ended(outcome: str | None, pointers: list[Pointer]) -> list[Pointer]:
    if outcome:
        raise CancelledMeanwhile(codec.load_outcome(outcome), pointers)
    return pointers
