"""What a flow's parts take in Redis: a large input lies there once, however many parts work beside it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from celery import Celery
from redis import Redis

from orchestrator import Flow, create_app, each, sequence
from orchestrator.engine import Performed
from orchestrator.loop import background
from orchestrator.perform import perform
from orchestrator.settings import Settings
from orchestrator.submission import new_run

ITEMS = 1000
INPUT_BYTES = 1_000_000
PART_BYTES = 5_000
"""What the run of a part with a short item may take, all told."""


def list_items(text: str) -> list[int]:
    return list(range(ITEMS))


def double(number: int) -> int:
    return 2 * number


@pytest.fixture
def app(valkey_url: str, namespace: str) -> Iterator[Celery]:
    flow = Flow("fan", sequence(list_items, each(None, sequence(double, double), max_items=ITEMS)))
    app = create_app(namespace, flows=[flow], settings=Settings(redis_url=valkey_url, namespace=namespace))
    yield app
    background.run(app.orchestrator.ledger.close_connections())
    app.close()


def submit_and_fan_out(app: Celery) -> Performed:
    """The flow's first invocation: its parts have been started, and wait for a worker."""
    engine = app.orchestrator.engine
    flow = engine.registry.flow("fan")
    background.run(engine.ledger.start(new_run(flow, "x" * INPUT_BYTES, run_id="run", settings=Settings())))
    return background.run(perform(engine, "run", 1, message_id="m", worker="w"))


def measure(client: Redis, namespace: str) -> int:
    """The bytes that the run and all below it take on the server."""
    keys = client.scan_iter(f"{namespace}:*{{run}}*", count=10_000)
    return sum(client.memory_usage(key, samples=0) for key in keys)


def test_a_thousand_parts_beside_a_large_input_do_not_keep_it(app: Celery, valkey_url: str, namespace: str) -> None:
    with Redis.from_url(valkey_url) as client:
        performed = submit_and_fan_out(app)

        taken = measure(client, namespace)

    assert len(performed.pointers) == ITEMS
    assert taken < 2 * INPUT_BYTES + ITEMS * PART_BYTES
