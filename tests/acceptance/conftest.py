"""Fixtures for tests on real workers: a stack for each module, and the producer's side of it."""

from __future__ import annotations

import gc
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from orchestrator.settings import Settings
from tests.acceptance.shop import Shop, build_shop
from tests.support.stack import Stack

APP = "tests.acceptance.shop_app"


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


@pytest.fixture
def key() -> str:
    """A name that no other test uses."""
    return uuid.uuid4().hex[:12]


def start_two_workers(stack: Stack) -> None:
    """One for most things, and one that serves the queue `heavy` alone."""
    workers = [stack.start_worker("main", wait=False), stack.start_worker("heavy", queues="heavy", wait=False)]
    for worker in workers:
        worker.wait_for_log("ready.")


@contextmanager
def producing(stack: Stack, build: Callable[[Settings], Shop] = build_shop, **settings: Any) -> Iterator[Shop]:
    """The shop in this process, for submitting to the stack's workers."""
    shop = build(Settings(redis_url=stack.url, **settings))
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
