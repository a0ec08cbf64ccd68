"""How a worker takes our tasks' messages in: as Celery does, but one with a malformed body does not end the worker."""

from __future__ import annotations

from typing import Any

from celery.exceptions import InvalidTaskError
from celery.worker.strategy import default


def invocation_strategy(task: Any, app: Any, consumer: Any, **options: Any) -> Any:
    """Celery's default strategy, with a check in front. Named in `Task.Strategy`."""
    take_in = default(task, app, consumer, **options)

    def check_and_take_in(message: Any, *rest: Any, **keywords: Any) -> Any:
        _check_body(message)
        return take_in(message, *rest, **keywords)

    return check_and_take_in


def _check_body(message: Any) -> None:
    """Celery unpacks the body unseen, and ends on one that has no three parts. This error it logs and rejects."""
    match message.payload:
        case [list() | tuple(), dict(), _]:
            return
        case {"args": _, "kwargs": _}:  # protocol 1
            return
    raise InvalidTaskError(f"The body is no [args, kwargs, embed] of a task: {str(message.payload)[:80]!r}.")
