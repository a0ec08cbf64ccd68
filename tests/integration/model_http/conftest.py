"""The scripted server that these suites call, one a file, and the models that call it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from orchestrator.models.base import Model
from orchestrator.models.openai_client import close_clients
from tests.support.model_calls import make
from tests.support.model_server import ModelServer


@pytest.fixture(scope="module")
def running_server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.fixture
def server(running_server: ModelServer) -> ModelServer:
    running_server.reset()
    return running_server


@pytest.fixture(autouse=True)
async def _closed_clients() -> AsyncIterator[None]:
    yield
    await close_clients()


@pytest.fixture(params=["responses", "chat"])
def model(request: pytest.FixtureRequest, server: ModelServer) -> Model:
    return make(request.param, server)
