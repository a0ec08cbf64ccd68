"""Looks at the server from outside: what runs, results and queues there are, as any Redis client sees them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis

from orchestrator.ledger.redis_keys import RedisKeys

PAUSE_ERRORS = (redis.ConnectionError, redis.TimeoutError)

_BINDINGS = re.compile(r"_kombu\.binding|\.reply\.celery\.pidbox$")

# In one step: between two, a message would move from where was not looked yet to where was looked already.
_LISTS_AND_HASHES = """
local found = {}
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  local kind = redis.call('TYPE', key).ok
  if kind == 'list' or kind == 'hash' then
    table.insert(found, key)
  end
end
return found
"""


@dataclass(frozen=True)
class SeenRun:
    """A run as its hash and log say."""

    status: str
    outcome: dict[str, Any] | None
    entries: list[dict[str, Any]]
    spent: dict[str, int]
    """What the tree below a root with a budget has spent, as the ledger counted it."""

    def count(self, kind: str) -> int:
        """How many entries of a type its log has."""
        return sum(entry["type"] == kind for entry in self.entries)

    @property
    def repeated_claims(self) -> int:
        """Claims of a step that had been claimed before."""
        steps = [entry["step"] for entry in self.entries if entry["type"] == "invocation"]
        return len(steps) - len(set(steps))


class Observer:
    """Reads one server. `prefix`: of all keys that are Celery's, for an app that does not have the server alone."""

    def __init__(self, url: str, namespace: str = "orchestrator", prefix: str = "") -> None:
        self._redis: Any = redis.Redis.from_url(url, decode_responses=True)
        self._keys = RedisKeys(namespace)
        self._namespace = namespace
        self._prefix = prefix

    def close(self) -> None:
        """Let go of the server."""
        self._redis.close()

    def states(self, task_ids: Sequence[str]) -> dict[str, str]:
        """The Celery state of every task that has a result."""
        texts = (
            self._redis.mget([f"{self._prefix}celery-task-meta-{task_id}" for task_id in task_ids]) if task_ids else []
        )
        found = zip(task_ids, texts, strict=True)
        return {task_id: json.loads(text)["status"] for task_id, text in found if text}

    def result(self, task_id: str) -> Any:
        """What a producer gets for a task id: its result, or a description of what is there instead."""
        text = self._redis.get(f"{self._prefix}celery-task-meta-{task_id}")
        if text is None:
            return "NO RESULT"
        meta = json.loads(text)
        return meta["result"] if meta["status"] == "SUCCESS" else f"{meta['status']}: {meta['result']}"

    def statuses(self, run_ids: Sequence[str]) -> dict[str, str | None]:
        """The status of every run, `None` for those that the ledger does not know."""
        pipeline = self._redis.pipeline(transaction=False)
        for run_id in run_ids:
            pipeline.hget(self._keys.run(run_id), "status")
        return dict(zip(run_ids, pipeline.execute(), strict=True))

    def all_run_ids(self) -> list[str]:
        """Every run in the ledger, those that agents have started included."""
        pattern = f"{self._namespace}:run:*"
        return [key.partition("}:")[2] for key in self._redis.scan_iter(pattern, count=1000)]

    def run(self, run_id: str) -> SeenRun:
        """A run's whole story."""
        fields = self._redis.hgetall(self._keys.run(run_id))
        log = self._redis.xrange(self._keys.log(run_id))
        outcome = json.loads(fields["outcome"]) if "outcome" in fields else None
        spent = {name.partition(":")[2]: int(value) for name, value in fields.items() if name.startswith("spent:")}
        return SeenRun(fields.get("status", "NONE"), outcome, [json.loads(entry["e"]) for _, entry in log], spent)

    def due(self) -> list[str]:
        """Runs that have a deadline: there is something left to do for them."""
        return [*self._redis.zrange(self._keys.due, 0, -1), *self._redis.zrange(self._keys.queued, 0, -1)]

    def is_quiet(self, workers: int | None = None) -> bool:
        """Whether no message waits in a queue or in a worker's hands, and, if asked, only so many workers have leases.

        The lease of a worker that was killed last stays until a living one has looked after it.
        """
        keys = self._redis.eval(_LISTS_AND_HASHES, 0, f"{self._prefix}*")
        has_messages = not all(key.startswith(f"{self._namespace}:run:") for key in keys)
        return not has_messages and (workers is None or self._redis.zcard(f"{self._prefix}_leases") <= workers)

    def keys_for_ever(self) -> list[str]:
        """Keys that nothing will remove, apart from the ledger's two bounded lists and the bindings of queues."""
        kept = {self._keys.runs, self._keys.loaded}
        names = [f"{self._prefix}*", f"{self._namespace}:*"]
        found = {key for name in names for key in self._redis.scan_iter(name, count=1000)}
        keys = [key for key in found - kept if not _BINDINGS.search(key)]
        pipeline = self._redis.pipeline(transaction=False)
        for key in keys:
            pipeline.ttl(key)
        return sorted(key for key, ttl in zip(keys, pipeline.execute(), strict=True) if ttl == -1)
