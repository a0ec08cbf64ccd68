"""The user's own tasks as steps of a flow: sent with Celery, their results looked up in its backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celery import Celery, signature
from celery.result import AsyncResult

from orchestrator.celery.tracer import wait_for
from orchestrator.engine import TaskResult
from orchestrator.ledger.base import Ledger

HASTEN = "orchestrator.hasten"
"""The task that follows a user's task and lets the flow look for its result at once."""


class CeleryTaskRunner:
    """Sends through an app's broker, and asks its result backend."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def start(self, work: Any, value: Any, task_id: str, *, run_id: str, queue: str | None) -> None:
        """Send it. Under one id: a second time, the task runs twice as any late-acknowledged task may."""
        sent = signature(work, app=self._app).clone() if isinstance(work, dict) else work.s()
        hasten = self._app.signature(HASTEN, args=(run_id,), immutable=True, options={"queue": queue} if queue else {})
        sent.link(hasten)
        sent.link_error(hasten)
        sent.apply_async(args=() if sent.immutable else (value,), task_id=task_id, add_to_parent=False)

    def find_result(self, task_id: str) -> TaskResult | None:
        """What it came to; `None` while it has not ended. Its result must be stored: `ignore_result` off."""
        result = AsyncResult(task_id, app=self._app)
        if not result.ready():
            return None
        return TaskResult(result.result) if result.successful() else TaskResult(None, result.result)


def add_hasten_task(app: Celery, ledger: Callable[[], Ledger]) -> None:
    """Register the task that wakes a flow. If its message is lost, the flow looks by itself, later."""

    def hasten(run_id: str) -> None:
        wait_for(_wake(ledger(), run_id))

    app.task(name=HASTEN, shared=False, ignore_result=True, serializer="json")(hasten)


async def _wake(ledger: Ledger, run_id: str) -> None:
    if summary := await ledger.summary(run_id):
        await ledger.hasten([(run_id, summary.step)])
