"""The directory of what workers have loaded: one announcement as text, and which ones still count."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, replace

from orchestrator.ledger.base import AgentRecord

Announcement = tuple[AgentRecord, float]
"""A record and the seconds that it is good for."""


def dump_record(record: AgentRecord, good_for_seconds: float) -> str:
    """An announcement as text, the same each time but for its `seen_at`, which is its score in Redis."""
    fields = asdict(record)
    del fields["seen_at"], fields["is_live"]
    return json.dumps({**fields, "good_for_seconds": good_for_seconds})


def select_records(announced: Iterable[Announcement], now: float) -> list[AgentRecord]:
    """Records of live workers, and of a task that no live worker has, the latest one."""
    live: dict[tuple[str, str], AgentRecord] = {}
    dead: dict[str, AgentRecord] = {}
    for record, good_for in sorted(announced, key=lambda pair: pair[0].seen_at):
        if record.seen_at + good_for >= now:
            live[record.task, record.worker] = record
        else:
            dead[record.task] = record
    served = {task for task, _ in live}
    chosen = [*live.values(), *(replace(record, is_live=False) for task, record in dead.items() if task not in served)]
    return sorted(chosen, key=lambda record: (record.task, record.worker))


def load_record(text: str, seen_at: float) -> Announcement:
    """The announcement that `dump_record` wrote."""
    fields = json.loads(text)
    good_for_seconds = fields.pop("good_for_seconds")
    return AgentRecord(**fields, seen_at=seen_at), good_for_seconds
