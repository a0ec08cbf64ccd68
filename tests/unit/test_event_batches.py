"""A worker's events leave it together, and none stays behind."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery
from kombu import Queue
from kombu.asynchronous import Hub

from orchestrator.celery.event_batches import FLUSH_SECONDS, EventBatches
from orchestrator.celery.publish import CeleryPublisher
from orchestrator.ledger.base import Pointer


class Worker:
    """A consumer's dispatcher on a broker in memory, and whoever listens to its events."""

    def __init__(self, connection: Any, app: Celery, hub: Hub) -> None:
        self.hub = hub
        dispatcher = app.events.Dispatcher(
            connection, hostname="worker", buffer_group=["task"], on_send_buffered=self.flush_soon
        )
        installed = SimpleNamespace(orchestrator=SimpleNamespace(publisher=CeleryPublisher(app)))
        self.consumer = SimpleNamespace(hub=hub, event_dispatcher=dispatcher, app=installed)
        self._listener = connection.SimpleQueue(Queue("listener", dispatcher.exchange, "#", auto_delete=True))

    def flush_soon(self) -> None:
        """What Celery does after every event."""
        self.consumer.event_dispatcher.flush()

    @property
    def publisher(self) -> CeleryPublisher:
        """What sends the messages of the worker's runs."""
        publisher: CeleryPublisher = self.consumer.app.orchestrator.publisher
        return publisher

    def finish_task(self) -> None:
        """Say that a task has ended."""
        self.consumer.event_dispatcher.send("task-succeeded", uuid="1")

    def heard(self) -> list[int]:
        """How many events each message had that has come so far."""
        messages = iter(self._listener.get_nowait, None)
        sizes: list[int] = []
        try:
            for message in messages:
                sizes.append(len(message.payload))
        except self._listener.Empty:
            pass
        return sizes


@pytest.fixture
def worker() -> Iterator[Worker]:
    app = Celery("events", broker="memory://", set_as_current=False, task_send_sent_event=True)
    hub = Hub()
    with app.connection() as connection:
        yield Worker(connection, app, hub)
    hub.close()


def run_timers(hub: Hub) -> None:
    """Turn the hub until its next timer has fired."""
    loop = hub.create_loop()
    fired: list[bool] = []
    hub.call_later(1.2 * FLUSH_SECONDS, fired.append, True)
    while not fired:
        next(loop)


def test_events_of_an_interval_are_one_message(worker: Worker) -> None:
    EventBatches(worker.consumer).start(worker.consumer)

    for _ in range(3):
        worker.finish_task()
    run_timers(worker.hub)

    assert worker.heard() == [3]


def test_event_of_a_message_that_the_worker_sends_goes_with_the_others(worker: Worker) -> None:
    EventBatches(worker.consumer).start(worker.consumer)
    worker.finish_task()

    worker.publisher.publish([Pointer("run", 2, "agents.specialist")])
    run_timers(worker.hub)

    assert worker.heard() == [2]


def test_events_do_not_wait_for_a_consumer_that_stops(worker: Worker) -> None:
    batches = EventBatches(worker.consumer)
    batches.start(worker.consumer)
    worker.finish_task()

    batches.stop(worker.consumer)
    worker.finish_task()

    assert worker.heard() == [1, 1]


def test_worker_whose_events_are_off_has_nothing_to_batch(worker: Worker) -> None:
    worker.consumer.event_dispatcher = None

    batches = EventBatches(worker.consumer)
    batches.start(worker.consumer)
    batches.stop(worker.consumer)

    assert worker.heard() == []
