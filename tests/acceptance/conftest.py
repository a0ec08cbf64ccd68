"""Fixtures for tests on real workers: a stack for each module, and the producer's side of it."""

from __future__ import annotations

import gc
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from celery import Celery

from orchestrator import Orchestrator, create_app
from orchestrator.loop import background
from orchestrator.settings import Settings
from tests.acceptance.shop import Shop, build_shop
from tests.support.model_scripts import ModelScripts
from tests.support.stack import Process, Stack, wait_until

APP = "tests.acceptance.shop_app"
_PATIENCE = ("lease_seconds", "grace_seconds")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A server and two workers, of which one serves the queue `heavy` alone."""
    with Stack(tmp_path_factory.mktemp("stack"), app=APP) as stack:
        start_two_workers(stack)
        yield stack


@pytest.fixture(scope="module")
def shop(stack: Stack) -> Iterator[Shop]:
    """The shop as its producers see it."""
    with producing(stack) as shop:
        yield shop


@pytest.fixture(scope="module")
def scripts() -> Iterator[ModelScripts]:
    """A model's server for a stack whose environment names it."""
    with ModelScripts() as scripts:
        yield scripts


@pytest.fixture
def worker(stack: Stack) -> Process:
    """A worker that runs: the last test's one, or a new one if that was killed."""
    running = [process for process in stack.processes if process.is_running]
    return running[0] if running else start_worker(stack)


@pytest.fixture
def key() -> str:
    """A name that no other test uses."""
    return uuid.uuid4().hex[:12]


def impatient(lease_seconds: float = 6.0) -> dict[str, str]:
    """The environment of a stack that soon moves on what was killed. Too short a lease lapses on a busy machine."""
    return {"ORCHESTRATOR_LEASE_SECONDS": str(lease_seconds), "ORCHESTRATOR_GRACE_SECONDS": "1"}


def start_worker(stack: Stack, **environment: str) -> Process:
    """One that serves all queues."""
    return stack.start_worker(f"worker{len(stack.processes)}", queues="celery,heavy", environment=environment)


def replace_worker(stack: Stack, worker: Process) -> None:
    """Kill the worker where it stands, and start another."""
    worker.kill()
    start_worker(stack)


def start_two_workers(stack: Stack) -> None:
    """One for most things, and one that serves the queue `heavy` alone."""
    workers = [stack.start_worker("main", wait=False), stack.start_worker("heavy", queues="heavy", wait=False)]
    for worker in workers:
        worker.wait_for_log("ready.")


def serve_queue(shop: Shop, queue: str) -> None:
    """Have a worker that runs consume one more queue."""
    shop.app.control.add_consumer(queue, destination=["main@test"], reply=True)


def messages(app: Celery) -> int:
    """How many wait in the queue `celery` or in a worker's hands."""
    client = app.backend.client
    return int(client.llen("celery")) + sum(client.hlen(key) for key in client.scan_iter("_leases.unacked.*"))


def wait_until_loaded(app: Celery, task: str) -> None:
    """Blocks until a worker has said that it has a task."""
    ledger = app.orchestrator.ledger
    has_it = lambda: any(record.task == task for record in background.run(ledger.loaded()))  # noqa: E731
    wait_until(has_it, f"a worker has said that it has {task}")


@contextmanager
def producing_by_name(stack: Stack, task: str) -> Iterator[Orchestrator]:
    """A producer that has none of the workers' agents, once a worker has said that it has the task."""
    app = create_app("producer", settings=Settings(redis_url=stack.url))
    wait_until_loaded(app, task)
    yield app.orchestrator
    gc.collect()  # results unsubscribe when they are collected, which takes the server
    app.close()


@contextmanager
def producing(stack: Stack, build: Callable[[Settings], Shop] = build_shop) -> Iterator[Shop]:
    """The shop in this process, for submitting to the stack's workers, as impatient as they are."""
    set_there = {name: stack.environment.get(f"ORCHESTRATOR_{name.upper()}") for name in _PATIENCE}
    patience = {name: float(seconds) for name, seconds in set_there.items() if seconds}
    shop = build(Settings(redis_url=stack.url, **patience))
    try:
        yield shop
    finally:
        gc.collect()  # results unsubscribe when they are collected, which takes the server
        shop.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Show what the workers said last beside a failed test."""
    report = yield
    for value in getattr(item, "funcargs", {}).values():
        if report.failed and isinstance(value, Stack):
            report.sections.append(("Workers", value.log_tails()))
    return report
