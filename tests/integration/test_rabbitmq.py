"""Agents on a RabbitMQ broker, with results and ledger on Redis, while a worker is killed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery

from orchestrator.loop import background
from orchestrator.settings import Settings
from tests.chaos.chaos_app import HEAVY, build_app
from tests.chaos.effects import EFFECTS_FILE, read_effects
from tests.chaos.observer import Observer
from tests.chaos.scripted_model import ScriptedModel
from tests.chaos.workload import make_items
from tests.support.rabbitmq import RabbitMQ, require_rabbitmq
from tests.support.stack import Process, Stack, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

QUEUES = ("celery", HEAVY)
RUNS = 10
CALLS_BEFORE_KILL = 8
END_SECONDS = 180.0
BROKER_URL = "CELERY_BROKER_URL"
LEASE = {"ORCHESTRATOR_LEASE_SECONDS": "6", "ORCHESTRATOR_GRACE_SECONDS": "1"}


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RabbitMQ]:
    require_rabbitmq()
    with RabbitMQ(tmp_path / "rabbitmq") as broker:
        monkeypatch.setenv(BROKER_URL, broker.url)
        yield broker


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    model = ScriptedModel(seed=3, failure_rate=0.0)
    with model.server:
        yield model


@pytest.fixture
def stack(tmp_path: Path, broker: RabbitMQ) -> Iterator[Stack]:
    environment = {EFFECTS_FILE: str(tmp_path / "effects"), BROKER_URL: broker.url, **LEASE}
    with Stack(tmp_path, app="tests.chaos.chaos_app", environment=environment) as stack:
        yield stack


@pytest.fixture
def producer(stack: Stack) -> Iterator[Celery]:
    app = build_app(Settings(redis_url=stack.url))
    yield app
    background.run(app.orchestrator.ledger.close_connections())  # type: ignore[attr-defined]
    app.backend.result_consumer.stop()
    app.backend.client.connection_pool.disconnect()
    app.close()


@pytest.fixture
def observer(stack: Stack) -> Iterator[Observer]:
    observer = Observer(stack.url)
    yield observer
    observer.close()


def start_worker(stack: Stack, model: ScriptedModel, name: str) -> Process:
    # Celery's `prefork` stands for "as configured": the pool of our own.
    environment = model.environment(name)
    return stack.start_worker(name, queues=",".join(QUEUES), pool="prefork", concurrency=32, environment=environment)


def waiting_messages(app: Celery) -> dict[str, int]:
    """How many messages each queue holds that no worker has."""
    with app.connection_for_read() as connection, connection.channel() as channel:
        return {queue: channel.queue_declare(queue, passive=True).message_count for queue in QUEUES}


def test_runs_chains_and_chords_survive_a_killed_worker(
    tmp_path: Path, stack: Stack, producer: Celery, observer: Observer, model: ScriptedModel
) -> None:
    first = start_worker(stack, model, "first")
    items = make_items(RUNS)
    for item in items:
        item.submit(producer)
    wait_until(lambda: len(model.calls) >= CALLS_BEFORE_KILL, "agents are at work")

    first.kill()
    second = start_worker(stack, model, "second")

    answers = {task_id: answer for item in items for task_id, answer in item.answers.items()}
    has_ended = lambda: len(observer.states(list(answers))) == len(answers) and not observer.due()  # noqa: E731
    wait_until(has_ended, f"all has ended\n{stack.log_tails()}", timeout_seconds=END_SECONDS)
    second.stop()
    assert {task_id: observer.result(task_id) for task_id in answers} == answers, second.log
    effects = list(read_effects(tmp_path / "effects"))
    reports = Counter((effect.name, effect.subject) for effect in effects if effect.kind == "report")
    assert set(reports.values()) == {1}
    assert {effect.key for effect in effects if effect.kind == "task"} == {
        task_id for item in items for task_id in item.followers
    }
    assert waiting_messages(producer) == dict.fromkeys(QUEUES, 0)
