"""Results whose announcement is lost, as it is when the server serves a subscription last: `get()` finds them."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery
from celery.exceptions import TimeoutError as ResultTimeout
from celery.result import AsyncResult, ResultSet
from celery.states import SUCCESS

from orchestrator import create_app
from orchestrator.celery.result_store import use_looking_backends
from orchestrator.settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")  # Celery's

SECONDS = 60.0


@pytest.fixture
def app(valkey_url: str) -> Iterator[Celery]:
    with deaf(create_app("results", settings=Settings(redis_url=valkey_url))) as app:
        yield app


@contextmanager
def deaf(app: Celery) -> Iterator[Celery]:
    """An app of which no subscription reaches the server."""
    consumer = app.backend.result_consumer
    consumer.start("nobody")
    consumer._pubsub.subscribe = lambda *names: None
    yield app
    consumer.subscribed_to.clear()  # nothing to unsubscribe from when the results are collected, later
    consumer.stop()


@pytest.fixture
def ids() -> list[str]:
    return [uuid.uuid4().hex for _ in range(3)]


@pytest.fixture
def stored_soon(app: Celery, ids: list[str]) -> Iterator[None]:
    """The results are stored while somebody waits."""
    timer = threading.Timer(0.3, lambda: [app.backend.store_result(name, f"of {name}", SUCCESS) for name in ids])
    timer.start()
    yield
    timer.join()


@pytest.mark.usefixtures("stored_soon")
def test_get_finds_a_result_whose_announcement_it_missed(app: Celery, ids: list[str]) -> None:
    assert AsyncResult(ids[0], app=app).get(timeout=SECONDS) == f"of {ids[0]}"


@pytest.mark.usefixtures("stored_soon")
def test_a_group_finds_those_of_its_members(app: Celery, ids: list[str]) -> None:
    results = ResultSet([AsyncResult(name, app=app) for name in ids], app=app)

    assert results.get(timeout=SECONDS) == [f"of {name}" for name in ids]


def test_stock_celery_waits_in_vain(valkey_url: str, ids: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What the two tests above are about. When this fails, `result_store` may go."""
    with deaf(Celery("results", broker=valkey_url, backend=valkey_url)) as app:
        consumer = app.backend.result_consumer
        listen = consumer.drain_events

        def store_and_listen(timeout: float | None = None) -> Any:
            """Nothing is stored before the caller listens: it looks once, before."""
            app.backend.store_result(ids[0], "late", SUCCESS)
            return listen(timeout)

        monkeypatch.setattr(consumer, "drain_events", store_and_listen)

        with pytest.raises(ResultTimeout):
            AsyncResult(ids[0], app=app).get(timeout=3)


def test_only_a_runs_outcome_replaces_what_is_stored(app: Celery, ids: list[str]) -> None:
    """The ledger has decided who delivers it; of a task, Celery keeps the first success."""
    run = SimpleNamespace(delivers=object())
    for name, request in zip(ids, (None, run), strict=False):
        app.backend.store_result(name, "before", SUCCESS)
        app.backend.store_result(name, "after", SUCCESS, request=request)

    assert [AsyncResult(name, app=app).get(timeout=SECONDS) for name in ids[:2]] == ["before", "after"]


def test_a_backend_that_the_app_names_itself_stays(valkey_url: str) -> None:
    app = Celery("results", backend=valkey_url)
    app.loader.override_backends = {"redis": "celery.backends.redis:RedisBackend"}

    use_looking_backends(app)

    assert type(app.backend).__module__ == "celery.backends.redis"
