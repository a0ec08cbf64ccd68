"""How a run in Redis gets its holder, and how its holder ends it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestrator.entries import EntryBase, Item, Outcome, dump_entry
from orchestrator.ledger import redis_codec as codec
from orchestrator.ledger.base import Claim, Ended, LedgerSettings, NewRun, Taker
from orchestrator.ledger.entry_rules import read_entries
from orchestrator.ledger.redis_known_logs import KnownLog, KnownLogs
from orchestrator.ledger.redis_scripts import RedisScripts, milliseconds
from orchestrator.usage import Usage


class RedisClaims:
    """The part of the ledger in Redis that gives runs to holders and takes their outcomes."""

    settings: LedgerSettings
    _scripts: RedisScripts
    _known_logs: KnownLogs

    async def claim(
        self, run_id: str, step: int, *, message_id: str, worker: str, new: NewRun | None = None
    ) -> Claim | None:
        arguments = codec.claim_arguments(run_id, step, worker, message_id, max_tries=self.settings.max_tries)
        entries = []
        if new is not None:
            arguments["new"] = codec.new_run_arguments(new)
            entries = [dump_entry(new.entry)]
        known = self._known_logs.find(run_id)
        if known.last:
            arguments["known"] = known.last
        answer = await self._scripts.call("claim", arguments, entries, run_id=run_id)
        return self._read_claim(run_id, answer, known) if answer else None

    async def end(
        self,
        claim: Claim,
        at: int,
        entries: Sequence[EntryBase],
        outcome: Outcome,
        *,
        exchange: Sequence[Item] | None = None,
        taker: Taker | None = None,
    ) -> Ended:
        usage = None if outcome.usage == Usage() else outcome.usage
        arguments = codec.commit_arguments(claim, at, read_entries(entries, usage=usage))
        arguments["is_cancelled"] = outcome.kind == "cancelled"
        texts = [dump_entry(entry) for entry in [*entries, outcome]]
        if claim.parent is not None:
            return await self._end_member(claim.run_id, claim.parent[0], arguments, texts, taker)
        if exchange is not None:
            arguments["leaves"] = True
            texts.append(codec.dump_items(exchange))
        counts, rows = await self._scripts.call("end", arguments, texts, run_id=claim.run_id)
        return Ended(codec.load_outcome(counts), codec.read_pointers(rows))

    async def _end_member(
        self, run_id: str, parent: str, arguments: dict[str, Any], texts: Sequence[str], taker: Taker | None
    ) -> Ended:
        known = self._known_logs.find(parent)
        if taker is not None:
            lease = milliseconds(self.settings.grace_seconds)
            arguments["taker"] = codec.taker_arguments(taker, lease, known.last)
        counts, rows, answer = await self._scripts.call("end_member", arguments, texts, run_id=run_id)
        woken = self._read_claim(parent, answer, known) if answer else None
        return Ended(codec.load_outcome(counts), codec.read_pointers(rows), is_done=True, woken=woken)

    def _read_claim(self, run_id: str, answer: Sequence[Any], known: KnownLog) -> Claim:
        *parts, last, is_known = answer
        known = known if is_known else KnownLog()
        claim = codec.read_claim(run_id, parts, known=known.entries)
        self._known_logs.keep(claim, last, known.characters + sum(map(len, parts[0])))
        return claim
