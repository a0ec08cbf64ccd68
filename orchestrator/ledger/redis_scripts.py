"""The ledger's Lua scripts, called by name."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from redis.commands.core import AsyncScript
from redis.exceptions import ResponseError

from orchestrator.entries import VERSION
from orchestrator.errors import LedgerError
from orchestrator.ledger import refusals
from orchestrator.ledger.base import CANCELS_KEPT, RUNS_KEPT, LedgerSettings
from orchestrator.ledger.entry_rules import EXPIRED
from orchestrator.ledger.redis_connection import RedisConnection
from orchestrator.ledger.redis_keys import RedisKeys
from orchestrator.ledger.sessions import RUNS_KEPT as RUNS_KEPT_BY_SESSION

SHARED = ("base", "spending", "common", "lanes", "tree", "commit", "take", "session")
"""Definitions for all scripts, in this order: each uses what stands before it."""
_DEFINITION = re.compile(r"^local (?:function )?(\w+)", re.MULTILINE)
_RUN_WHEN_FULL = frozenset({"close", "cancel", "hasten", "leave", "renew", "reconcile", "release"})
"""Scripts that let runs end, so that their memory comes back. The others must not begin on a full server."""


class RedisScripts:
    """Calls scripts; turns their refusals into errors."""

    def __init__(self, connection: RedisConnection, keys: RedisKeys, settings: LedgerSettings) -> None:
        self._connection = connection
        self._keys = keys
        self._settings = _write_table("settings", _script_settings(keys, settings))
        self._scripts: dict[str, AsyncScript] = {}

    async def call(
        self,
        name: str,
        arguments: Mapping[str, Any],
        entries: Sequence[str] = (),
        *,
        run_id: str = "",
        durable: bool = False,
    ) -> Any:
        """Run `scripts/<name>.lua`. `entries` are passed as they are; `run_id` is the run that a refusal is about.

        With `durable`, return when what it wrote is on the server's disk.
        """
        script = self._load(name)
        values = [json.dumps(arguments, ensure_ascii=False), *entries]
        # One key is enough to route the call; scripts find the other keys themselves.
        keys = [self._keys.run(run_id) if run_id else self._keys.due]
        run = self._connection.run_durably if durable else self._connection.run
        try:
            return await run(script, keys, values)
        except ResponseError as error:
            raise _read_refusal(error, name, arguments, run_id) from error

    def _load(self, name: str) -> AsyncScript:
        if name not in self._scripts:
            self._scripts[name] = self._connection.commands.register_script(assemble(name, self._settings))
        return self._scripts[name]


@cache
def assemble(name: str, settings: str) -> str:
    """A script's text: those shared definitions that it needs, and its own.

    A server makes all of a script's functions anew at each call: those that it does not need would cost it more than
    those that it does.
    """
    folder = files("orchestrator.ledger") / "scripts"
    flags = "allow-oom" if name in _RUN_WHEN_FULL else ""
    own, *shared = ((folder / f"{part}.lua").read_text(encoding="utf-8") for part in (name, *SHARED))
    # With this line a full server refuses a script before its first write, never in the middle.
    return f"#!lua flags={flags}\n{_keep_needed([settings, *shared], own)}"


def _keep_needed(shared: Sequence[str], own: str) -> str:
    """From the end to the beginning: what is kept says what it needs of what stands before it."""
    kept = own
    for part in reversed(shared):
        for definition in reversed(re.split(r"^(?=local )", part, flags=re.MULTILINE)):
            named = _DEFINITION.match(definition)
            if named and re.search(rf"\b{named[1]}\b", kept):
                kept = definition + kept
    return kept


def _write_table(name: str, values: Mapping[str, str | int]) -> str:
    """A table in Lua, of texts and whole numbers."""
    fields = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    return f"local {name} = {{{', '.join(fields)}}}\n"


def _script_settings(keys: RedisKeys, settings: LedgerSettings) -> dict[str, str | int]:
    return {
        "run_template": keys.run_template,
        "log_template": keys.log_template,
        "watch_template": keys.watch_template,
        "session_template": keys.session_template,
        "session_runs_kept": RUNS_KEPT_BY_SESSION,
        "session_retention": milliseconds(settings.session_retention_seconds),
        "outcome_template": keys.outcome_template,
        "due": keys.due,
        "cancels": keys.cancels,
        "cancels_kept": CANCELS_KEPT,
        "queued": keys.queued,
        "runs": keys.runs,
        "runs_kept": RUNS_KEPT,
        "grace": milliseconds(settings.grace_seconds),
        "max_grace": milliseconds(settings.max_grace_seconds),
        "lease": milliseconds(settings.lease_seconds),
        "retention": milliseconds(settings.retention_seconds),
        "max_tries": settings.max_tries,
        "lanes": keys.lanes,
        "queued_per_lane": settings.queued_per_lane,
        "held_back": milliseconds(settings.held_back_seconds),
        "version": VERSION,
        "expired": EXPIRED,
    }


def milliseconds(seconds: float) -> int:
    """Scripts count in whole milliseconds: Lua writes them without a fraction or an exponent."""
    return round(seconds * 1000)


def _read_refusal(error: ResponseError, name: str, arguments: Mapping[str, Any], run_id: str) -> Exception:
    # "CODE detail script: <sha>, on …": the server adds where the script stopped.
    code, _, detail = str(error).partition(" script: ")[0].partition(" ")
    match code:
        case "FENCED":
            return refusals.fenced(run_id, arguments["fence"])
        case "BUSY":
            return refusals.busy(*detail.split(" ", 1))
        case "CONFLICT":
            return refusals.conflict(detail)
        case "OUTDATED":
            return refusals.outdated(run_id, arguments["at"], int(detail))
        case "NEWER":
            return refusals.newer(run_id, int(detail))
        case "ENDED":
            return refusals.ended(run_id)
        case "UNFINISHED":
            return refusals.unfinished(run_id)
        case "SETTLED":
            return refusals.settled(run_id, detail)
        case "MISPLACED":
            return refusals.misplaced(run_id, detail)
        case "UNKNOWN" | "OVER" | "NOT_ASKED" | "DECIDED" | "MISFIT":
            return _read_refused_decision(code, detail, arguments.get("call_id", ""), run_id)
        case _:
            return LedgerError(f"The ledger's script `{name}` failed: {error}", run_id=run_id or None)


def _read_refused_decision(code: str, detail: str, call_id: str, run_id: str) -> Exception:
    match code:
        case "UNKNOWN":
            return refusals.unknown(run_id)
        case "OVER":
            return refusals.over(run_id)
        case "NOT_ASKED":
            return refusals.not_asked(run_id, call_id)
        case "MISFIT":
            return refusals.misfit(run_id, call_id, detail)
        case _:
            return refusals.decided(run_id, call_id, detail)
