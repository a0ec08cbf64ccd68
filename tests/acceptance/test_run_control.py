"""Pausing, resuming and cancelling on real workers, which are killed in between, and a server that restarts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrator import Run
from orchestrator.errors import RunCancelled, WrongRunState
from tests.acceptance.conftest import APP, impatient, replace_worker, start_worker
from tests.acceptance.shop import Shop
from tests.support.stack import Process, Stack, wait_until, wait_until_on_disk

pytestmark = pytest.mark.slow

SECONDS = 60


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack"), app=APP, environment=impatient()) as stack:
        yield stack


def rests(run: Run) -> bool:
    summary = run.summary()
    return summary.status == "parked" and summary.pause


def test_paused_run_goes_on_although_its_worker_was_killed_meanwhile(
    stack: Stack, shop: Shop, worker: Process, key: str
) -> None:
    run = shop.waiter.submit(key)
    wait_until(lambda: shop.effects(f"waiting:{key}"), "the run works")

    run.pause()
    with pytest.raises(WrongRunState):
        run.pause()
    shop.set_flag(key)
    wait_until(lambda: rests(run), "the run rests", timeout_seconds=SECONDS)
    replace_worker(stack, worker)
    run.resume()

    assert run.result(SECONDS) == f"waited(saw {key})"
    assert len(shop.effects(f"waiting:{key}")) == 1
    with pytest.raises(WrongRunState):
        run.resume()


def test_pause_that_is_said_while_the_worker_is_down_is_obeyed(
    stack: Stack, shop: Shop, worker: Process, key: str
) -> None:
    worker.kill()
    run = shop.careful.submit(key)
    run.pause()

    start_worker(stack)

    wait_until(lambda: rests(run), "the run rests", timeout_seconds=SECONDS)
    assert shop.effects(f"charged:{key}") == []
    run.cancel()
    with pytest.raises(RunCancelled):
        run.result(SECONDS)


def test_cancel_is_obeyed_although_the_server_restarts_at_the_same_time(
    stack: Stack, shop: Shop, worker: Process, key: str
) -> None:
    run = shop.waiter.submit(key)
    wait_until(lambda: shop.effects(f"waiting:{key}"), "the run works")

    wait_until_on_disk(stack.url)
    stack.valkey.kill()
    stack.valkey.start()
    run.cancel("closing time")

    with pytest.raises(RunCancelled, match="closing time"):
        run.result(SECONDS)


def test_cancel_that_is_said_while_the_worker_is_down_is_obeyed(
    stack: Stack, shop: Shop, worker: Process, key: str
) -> None:
    run = shop.waiter.submit(key)
    wait_until(lambda: shop.effects(f"waiting:{key}"), "the run works")

    worker.kill()
    run.cancel()
    start_worker(stack)

    with pytest.raises(RunCancelled):
        run.result(SECONDS)
    assert len(shop.effects(f"waiting:{key}")) == 1
