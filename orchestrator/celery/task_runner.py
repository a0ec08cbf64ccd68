"""The user's own tasks as steps of a flow: sent with Celery, their results looked up in its backend."""

from __future__ import annotations

from typing import Any

from celery import Celery, signature
from celery.result import AsyncResult

from orchestrator.engine import TaskResult


class CeleryTaskRunner:
    """Sends through an app's broker, and asks its result backend."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def start(self, work: Any, value: Any, task_id: str) -> None:
        """Send it. Under one id: a second time, the task runs twice as any late-acknowledged task may."""
        made = signature(work, app=self._app) if isinstance(work, dict) else work.s()
        sent = made if made.immutable else made.clone(args=(value,))
        sent.apply_async(task_id=task_id, add_to_parent=False)

    def find_result(self, task_id: str) -> TaskResult | None:
        """What it came to; `None` while it has not ended. Its result must be stored: `ignore_result` off."""
        result = AsyncResult(task_id, app=self._app)
        if not result.ready():
            return None
        return TaskResult(result.result) if result.successful() else TaskResult(None, result.result)
