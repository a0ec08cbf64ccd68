"""The app of the workers in the transport's tests: Celery's own, with tasks that leave marks in Redis."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, TypeVar

from celery import Celery
from redis.exceptions import ConnectionError as RedisConnectionError

from orchestrator.celery.app import SAFE_DEFAULTS
from orchestrator.celery.transport import transport_for

T = TypeVar("T")


def build_app(url: str, *, lease_seconds: float) -> Celery:
    """An app on our transport, or on kombu's for a comparison."""
    app = Celery("transport", broker=url, backend=url)
    options = {"lease_seconds": lease_seconds}
    app.conf.update(SAFE_DEFAULTS, broker_transport=transport_for(url), broker_transport_options=options)
    if os.environ.get("TEST_STOCK"):
        app.conf.update(broker_transport=None, broker_transport_options={})
    return app


app = build_app(
    os.environ.get("ORCHESTRATOR_REDIS_URL", "redis://"), lease_seconds=float(os.environ.get("TEST_LEASE_SECONDS", "2"))
)


@app.task(name="work", bind=True)
def work(self: Any, key: str, seconds: float = 0.0, flag: str | None = None) -> None:
    """Leave a mark, last for a while or until a flag is set, leave another mark."""
    name = f"{self.request.hostname}{' again' if self.request.delivery_info['redelivered'] else ''}"
    marks = app.backend.client
    patiently(lambda: marks.rpush(f"began:{key}", name))
    deadline = time.monotonic() + (120.0 if flag else seconds)
    while time.monotonic() < deadline and not (flag and patiently(lambda: marks.exists(f"flag:{flag}"))):
        time.sleep(0.02)
    patiently(lambda: marks.rpush(f"ended:{key}", name))


@app.task(name="noop", ignore_result=True)
def noop() -> None:
    """Nothing."""


def patiently(ask: Callable[[], T]) -> T:
    """Ask a server that may be away for a while."""
    while True:
        try:
            return ask()
        except RedisConnectionError:
            time.sleep(0.1)
