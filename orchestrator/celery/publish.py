"""Sends the messages of queued steps, with the canvas headers that their runs carry."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError

from orchestrator.celery.continuation import write_continuation
from orchestrator.celery.message import write_step
from orchestrator.ledger.base import Pointer
from orchestrator.run_ids import task_id

logger = logging.getLogger(__name__)


class CeleryPublisher:
    """Publishes through an app's broker. The task id is the step's own, so that copies are recognised."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self.events: Any = None
        """A worker's: takes the event that a message was sent, in place of publishing it at once."""
        self.tells_of_tasks = False
        """Whether this is a worker that sends events of its tasks. Its pool's processes, too, know by this."""

    def publish(self, pointers: Sequence[Pointer]) -> None:
        """Send one message each, and what Flower hears of them, in as few writes to the broker as it allows."""
        with self._app.producer_or_acquire() as producer:
            if len(pointers) == 1 and self.events:
                self._send(producer, pointers[0])
                return
            try:
                self._send_together(producer, pointers)
            except Exception as error:
                # kombu does not repeat a batch. Those that did arrive are recognised when they come again.
                logger.warning("Sending %d messages at once failed, sending them one by one: %r", len(pointers), error)
                self._send_each(producer, pointers)

    def _send_together(self, producer: Any, pointers: Sequence[Pointer]) -> None:
        with producer.batch():
            for pointer in pointers:
                self._send(producer, pointer)

    def _send_each(self, producer: Any, pointers: Sequence[Pointer]) -> None:
        """With Celery's retries. One that cannot be sent keeps none of the others back, unless the broker is away."""
        failure: Exception | None = None
        for pointer in pointers:
            try:
                self._send(producer, pointer)
            except OperationalError:
                raise
            except Exception as error:
                failure = failure or error
        if failure:
            raise failure

    def _send(self, producer: Any, pointer: Pointer) -> None:
        """Not by `send_task`: in a producer, that subscribes to the result of every step and never unsubscribes."""
        amqp = self._app.amqp
        message = make_step_message(self._app, pointer, has_event=self._app.conf.task_send_sent_event)
        route = amqp.router.route(_options(pointer), pointer.task, (), message.body[1])
        amqp.send_task_message(
            producer, pointer.task, message, serializer="json", event_dispatcher=self.events, **route
        )


def make_step_message(app: Celery, pointer: Pointer, *, has_event: bool) -> Any:
    """What Celery sends for a step: headers, properties, body, and an event's fields."""
    continuation = write_continuation(pointer.continuation)
    return app.amqp.create_task_message(
        task_id(pointer.run_id, pointer.step),
        pointer.task,
        kwargs=write_step(pointer),
        create_sent_event=has_event,
        parent_id=_parent_of(pointer),
        argsrepr=f"({pointer.note!r},)",
        kwargsrepr=f"{{'run': {pointer.run_id!r}, 'step': {pointer.step}}}",
        **{**continuation, "root_id": continuation["root_id"] or pointer.run_id},
    )


def _options(pointer: Pointer) -> dict[str, Any]:
    options = {"queue": pointer.queue, "priority": pointer.priority}
    return {name: value for name, value in options.items() if value is not None}


def _parent_of(pointer: Pointer) -> str | None:
    if pointer.step > 1:
        return task_id(pointer.run_id, pointer.step - 1)
    parent: str | None = pointer.continuation.get("parent_id")
    return parent
