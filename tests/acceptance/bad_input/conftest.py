"""Workers that ask a model's server and soon give up, and that must serve the next run whatever a test did."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from tests.acceptance.conftest import APP, impatient
from tests.acceptance.shop import Shop
from tests.support.model_scripts import ModelScripts
from tests.support.stack import Process, Stack

SECONDS = 60


@pytest.fixture(scope="package")
def scripts() -> Iterator[ModelScripts]:
    """The model that the worker of the queue `model` asks."""
    with ModelScripts() as scripts:
        yield scripts


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory, scripts: ModelScripts) -> Iterator[Stack]:
    """Two workers, of which one serves the queue `model` alone. A model that answers has time to, on a busy machine."""
    short = {"ORCHESTRATOR_MODEL_TIMEOUT_SECONDS": "4", "ORCHESTRATOR_MODEL_MAX_RETRIES": "1"}
    with Stack(tmp_path_factory.mktemp("stack"), app=APP, environment={**impatient(), **short}) as stack:
        model = stack.start_worker("model", queues="model", environment=scripts.environment, wait=False)
        stack.start_worker("main")
        model.wait_for_log("ready.")
        yield stack


@pytest.fixture
def worker(stack: Stack) -> Process:
    """The worker of the queue `celery`."""
    return stack.processes[1]


@pytest.fixture
def server(stack: Stack) -> Iterator[redis.Redis]:
    """A connection to the stack's Valkey."""
    with redis.Redis.from_url(stack.url, decode_responses=True) as connection:
        yield connection


@pytest.fixture(autouse=True)
def still_works(shop: Shop) -> Iterator[None]:
    """Whatever a test did: the worker serves the next one."""
    yield
    assert shop.triage.submit("and now?").result(SECONDS) == "closed(and now?)"


def ask(shop: Shop, agent: str, text: str, **options: Any) -> Any:
    """The answer of an agent that asks the scripted model."""
    return shop.agents[agent].submit(text, queue="model", **options).result(SECONDS)
