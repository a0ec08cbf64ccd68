"""Sends a worker's task events in batches: Celery publishes each nearly on its own, at the cost of a task's message."""

from __future__ import annotations

from typing import Any

from celery import bootsteps

FLUSH_SECONDS = 0.25
"""How much later Flower hears of a task."""


class TaskEvents:
    """The way into the batch for what does not come from Celery's consumer."""

    def __init__(self, dispatcher: Any) -> None:
        self._dispatcher = dispatcher

    def send(self, type: str, **fields: Any) -> None:
        """Take an event."""
        self._dispatcher.send(type, **fields)

    def publish(self, type: str, fields: dict[str, Any], producer: Any, **options: Any) -> None:
        """Take what Celery tells of a message that was sent; nothing is published now."""
        self.send(type, **fields)


class EventBatches(bootsteps.StartStopStep):  # type: ignore[misc]
    """Has the consumer's hub flush the dispatcher's buffer at intervals, in place of after every event."""

    requires = ("celery.worker.consumer.events:Events",)

    def __init__(self, consumer: Any, **kwargs: Any) -> None:
        super().__init__(consumer, **kwargs)
        self._timer: Any = None

    def start(self, consumer: Any) -> None:
        """Begin, anew after each lost connection: the dispatcher is new then, too."""
        dispatcher = consumer.event_dispatcher
        if consumer.hub and dispatcher and dispatcher.on_send_buffered:
            dispatcher.on_send_buffered = None
            self._timer = consumer.hub.call_repeatedly(FLUSH_SECONDS, dispatcher.flush)
            consumer.app.orchestrator.publisher.events = TaskEvents(dispatcher)

    def stop(self, consumer: Any) -> None:
        """What the last tasks say is sent at once: nobody turns the hub any more."""
        if self._timer is None:
            return
        self._timer.cancel()
        consumer.app.orchestrator.publisher.events = None
        self._timer, dispatcher = None, consumer.event_dispatcher
        if dispatcher is not None:
            dispatcher.on_send_buffered = dispatcher.flush
            dispatcher.flush()
