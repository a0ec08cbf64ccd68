"""Messages of several steps on a real broker: sent at once, and one by one if that fails."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from celery import Celery
from celery.exceptions import QueueNotFound
from kombu import Queue
from kombu.exceptions import BatchPublishError

from orchestrator import create_app
from orchestrator.celery.publish import CeleryPublisher
from orchestrator.embedded import EmbeddedValkey
from orchestrator.ledger.base import Pointer
from orchestrator.settings import Settings

POINTERS = [Pointer(f"run-{number}", 1, "agents.writer", queue="writers") for number in range(50)]


@pytest.fixture
def prefix() -> str:
    """Of the keys that no other test uses."""
    return f"{uuid.uuid4().hex[:8]}."


@pytest.fixture(scope="module")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a server that nobody else uses, because its reads are counted."""
    with EmbeddedValkey(tmp_path_factory.mktemp("valkey")) as valkey:
        yield valkey.url


@pytest.fixture
def app(valkey_url: str, prefix: str) -> Iterator[Celery]:
    options = {"global_keyprefix": prefix}
    app = create_app("publish", settings=Settings(redis_url=valkey_url), broker_transport_options=options)
    yield app
    app.close()


@pytest.fixture
def server(valkey_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey_url, decode_responses=True) as client:
        yield client


def test_messages_and_their_events_are_a_few_writes(app: Celery, server: redis.Redis, prefix: str) -> None:
    publisher = CeleryPublisher(app)
    publisher.publish(POINTERS[:1])  # connects and declares the queue
    before: Any = server.info("stats")

    publisher.publish(POINTERS)
    after: Any = server.info("stats")

    assert server.llen(f"{prefix}writers") == 1 + len(POINTERS)
    # A few, of as much as there was to read at a time; one by one there would be two for each.
    assert after["total_reads_processed"] - before["total_reads_processed"] < len(POINTERS)
    assert after["total_commands_processed"] - before["total_commands_processed"] >= 3 * len(POINTERS)


def test_batch_that_fails_is_sent_one_by_one(
    app: Celery, server: redis.Redis, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(batch: Any) -> None:
        raise BatchPublishError("Redis publish batch failed; delivery is uncertain")

    monkeypatch.setattr("kombu.transport.redis.PublishBatch.flush", refuse)

    CeleryPublisher(app).publish(POINTERS)

    assert server.llen(f"{prefix}writers") == len(POINTERS)


def test_message_that_cannot_be_sent_keeps_none_of_the_others_back(
    app: Celery, server: redis.Redis, prefix: str
) -> None:
    app.conf.task_create_missing_queues = False
    app.conf.task_queues = [Queue("writers")]
    unknown = Pointer("run", 1, "agents.writer", queue="nowhere")

    with pytest.raises(QueueNotFound, match="nowhere"):
        CeleryPublisher(app).publish([POINTERS[0], unknown, POINTERS[1]])

    assert server.llen(f"{prefix}writers") == 2
