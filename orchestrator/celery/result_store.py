"""Celery's Redis result backends: callers who wait also look at what is stored, and a run's outcome is stored unseen.

Celery subscribes to a result and reads it at once, over two connections. A server that serves the reading first, then
the worker, then the subscription announces the result to nobody: `get()` would wait for ever. So it is with any
announcement that is lost on its way. See `docs/adr/0020-waiting-also-looks.md`.

Celery reads what is stored before it stores anything, lest a worker that was taken for lost overwrites a success. Of a
run, the ledger lets one worker at a time deliver the one outcome.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from celery import Celery
from celery.backends import redis

LOOK_SECONDS = 1.0
"""How often a caller who waits looks at what is stored."""

celery_redis: Any = redis  # not typed


class _LookingConsumer(celery_redis.ResultConsumer):  # type: ignore[misc]
    """Waits for announcements, and looks."""

    def _wait_for_pending(
        self, result: Any, timeout: float | None = None, on_interval: Callable[[], Any] | None = None, **options: Any
    ) -> Any:
        looked = time.monotonic()

        def look() -> None:
            nonlocal looked
            if time.monotonic() - looked >= LOOK_SECONDS:
                self._look(result)
                looked = time.monotonic()
            if on_interval:
                on_interval()

        return super()._wait_for_pending(result, timeout=timeout, on_interval=look, **options)

    def _look(self, result: Any) -> None:
        """Take what is stored of a result, or of a group's members, and not known yet."""
        members = getattr(result, "results", None) or [result]
        keys = [self._get_key_for_task(member.id) for member in members if not getattr(member, "_cache", True)]
        with self.reconnect_on_error():
            for stored in filter(None, self.backend.client.mget(keys) if keys else []):
                self.on_state_change(self._decode_result(stored), None)


class RedisBackend(celery_redis.RedisBackend):  # type: ignore[misc]
    """For `redis://` and `rediss://`."""

    ResultConsumer = _LookingConsumer

    def _store_result(
        self, task_id: str, result: Any, state: str, traceback: Any = None, request: Any = None, **options: Any
    ) -> Any:
        if getattr(request, "delivers", None) is None:
            return super()._store_result(task_id, result, state, traceback=traceback, request=request, **options)
        meta = self._get_result_meta(result=result, state=state, traceback=traceback, request=request)
        self._set_with_state(self.get_key_for_task(task_id), self.encode({**meta, "task_id": task_id}), state)
        return result


class SentinelBackend(RedisBackend, celery_redis.SentinelBackend):  # type: ignore[misc]
    """For `sentinel://`."""


def use_looking_backends(app: Celery) -> None:
    """Before the app's backend is made. Backends other than Redis stay what they are."""
    names = {"redis": RedisBackend, "rediss": RedisBackend, "sentinel": SentinelBackend}
    ours = {scheme: f"{__name__}:{backend.__name__}" for scheme, backend in names.items()}
    app.loader.override_backends = {**ours, **app.loader.override_backends}
