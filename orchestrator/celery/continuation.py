"""What follows a task in the canvas, kept in the ledger so that any later invocation can carry it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from celery import Celery, signature

_FIELDS = ("chain", "chord", "errbacks", "root_id", "parent_id", "reply_to", "stamped_headers", "stamps")


def read_continuation(request: Any, app: Celery) -> dict[str, Any]:
    """The continuation of a task request, as JSON, empty parts left out.

    Callbacks get their task ids now: should the end of the run be delivered twice, the second delivery
    then publishes the same tasks again, which their receivers recognise, and not new ones.
    """
    kept = {name: getattr(request, name, None) for name in _FIELDS}
    kept["group_id"] = request.group
    kept["group_index"] = request.group_index
    kept["callbacks"] = [
        _freeze(callback, f"{request.id}.callback{number}", app)
        for number, callback in enumerate(_listed(request.callbacks), start=1)
    ]
    return {name: value for name, value in kept.items() if value not in (None, [], {})}


def write_continuation(continuation: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `create_task_message` that carry a continuation."""
    stamps = continuation.get("stamps") or {}
    return {
        "chain": continuation.get("chain"),
        "chord": continuation.get("chord"),
        "callbacks": continuation.get("callbacks"),
        "errbacks": continuation.get("errbacks"),
        "group_id": continuation.get("group_id"),
        "group_index": continuation.get("group_index"),
        "root_id": continuation.get("root_id"),
        "reply_to": continuation.get("reply_to"),
        **({"stamped_headers": continuation.get("stamped_headers"), **stamps} if stamps else {}),
    }


def _freeze(callback: Any, task_id: str, app: Celery) -> dict[str, Any]:
    frozen = signature(callback, app=app).clone()
    if not frozen.options.get("task_id"):
        frozen.freeze(task_id)
    return dict(frozen)


def _listed(value: Any) -> list[Any]:
    if not value:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]
