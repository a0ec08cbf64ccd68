"""The shop's ordinary Celery tasks."""

from __future__ import annotations

import time
from typing import Any

from celery import Celery

from tests.acceptance.shop_effects import has_flag, record


def add_tasks(app: Celery) -> dict[str, Any]:
    """The tasks by name."""

    @app.task(name="shop.mark", shared=False)
    def mark(value: Any, tag: str = "mark") -> str:
        return f"{tag}({value})"

    @app.task(name="shop.gather", shared=False)
    def gather(values: list[Any]) -> str:
        return "[" + " ".join(str(value) for value in values) + "]"

    @app.task(name="shop.order", shared=False)
    def order(item: str) -> dict[str, Any]:
        return {"item": item, "count": 2}

    @app.task(name="shop.note", shared=False)
    def note(value: Any, key: str) -> Any:
        record(key, value)
        return value

    @app.task(name="shop.note_error", shared=False)
    def note_error(request: Any, error: Any, traceback: Any, key: str) -> None:
        record(key, f"{type(error).__name__}: {error}")

    @app.task(name="shop.fail", shared=False)
    def fail(value: Any) -> None:
        raise LookupError(f"nothing under {value}")

    @app.task(name="shop.stay", shared=False)
    def stay(key: str) -> str:
        record(f"staying:{key}", "stays")
        while not has_flag(key):
            time.sleep(0.05)
        if key.endswith("fails"):
            raise LookupError(f"nothing under {key}")
        return key

    tasks = {
        "stay": stay,
        "mark": mark,
        "fail": fail,
        "gather": gather,
        "order": order,
        "note": note,
        "note_error": note_error,
    }
    return tasks
