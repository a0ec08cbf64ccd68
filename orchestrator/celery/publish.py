"""Sends the message of a queued step, with the canvas headers that its run carries."""

from __future__ import annotations

from celery import Celery

from orchestrator.celery.continuation import write_continuation
from orchestrator.celery.message import write_step
from orchestrator.ledger.base import Pointer
from orchestrator.run_ids import task_id


class CeleryPublisher:
    """Publishes through an app's broker. The task id is the step's own, so that copies are recognised."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def publish(self, pointer: Pointer) -> None:
        """Send one message."""
        options = write_continuation(pointer.continuation)
        options["root_id"] = options["root_id"] or pointer.run_id
        if pointer.queue:
            options["queue"] = pointer.queue
        if pointer.priority is not None:
            options["priority"] = pointer.priority
        self._app.send_task(
            pointer.task,
            kwargs=write_step(pointer),
            task_id=task_id(pointer.run_id, pointer.step),
            parent_id=_parent_of(pointer),
            argsrepr=f"({pointer.note!r},)",
            kwargsrepr=f"{{'run': {pointer.run_id!r}, 'step': {pointer.step}}}",
            add_to_parent=False,
            **options,
        )


def _parent_of(pointer: Pointer) -> str | None:
    if pointer.step > 1:
        return task_id(pointer.run_id, pointer.step - 1)
    parent: str | None = pointer.continuation.get("parent_id")
    return parent
