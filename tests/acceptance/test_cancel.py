"""Runs are cancelled, expire and meet their deadline: in a queue, at work and parked."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from celery import group

from orchestrator.errors import DeadlineExceeded, RunCancelled, RunExpired
from tests.acceptance.conftest import APP, serve_queue, start_two_workers
from tests.acceptance.shop import Shop
from tests.support.stack import Stack, wait_until

SECONDS = 60
SOON = 8.0
"""A deadline, by which a busy machine, too, has brought runs to their work."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A cancel reaches a running invocation within a sixth of the lease."""
    with Stack(tmp_path_factory.mktemp("stack"), app=APP, environment={"ORCHESTRATOR_LEASE_SECONDS": "3"}) as stack:
        start_two_workers(stack)
        yield stack


def test_run_that_nobody_began_in_time_expires(shop: Shop, key: str) -> None:
    late = shop.triage.submit("a", queue=key, expires=0.2)
    good = shop.triage.submit("a", queue=key, expires=60)
    time.sleep(0.3)

    serve_queue(shop, key)

    with pytest.raises(RunExpired, match="No worker had begun the run"):
        late.result(SECONDS)
    assert good.result(SECONDS) == "closed(a)"


def test_queued_run_is_cancelled_before_it_begins(shop: Shop, key: str) -> None:
    run = shop.careful.submit(key, queue=key)

    run.cancel()
    serve_queue(shop, key)

    with pytest.raises(RunCancelled):
        run.result(SECONDS)
    assert shop.effects(f"charged:{key}") == []


def test_running_run_is_cancelled_in_the_middle_of_its_work(shop: Shop, key: str) -> None:
    run = shop.waiter.submit(key)
    wait_until(lambda: shop.effects(f"waiting:{key}"), "the run works")

    run.cancel()

    with pytest.raises(RunCancelled):
        run.result(SECONDS)
    with pytest.raises(RunCancelled):
        shop.app.AsyncResult(run.id).get(timeout=SECONDS)


def test_a_cancel_is_no_error_in_the_workers_log(stack: Stack, shop: Shop, key: str) -> None:
    worker = stack.start_worker(f"of-{key}", queues=key)
    run = shop.waiter.submit(key, queue=key)
    wait_until(lambda: shop.effects(f"waiting:{key}"), "the run works")

    run.cancel()

    worker.wait_for_log("raised expected: RunCancelled")
    assert "ERROR" not in worker.log
    worker.stop()


def test_reason_of_a_cancel_reaches_who_waits_for_the_result(shop: Shop, key: str) -> None:
    run = shop.waiter.submit(key)
    wait_until(lambda: shop.effects(f"waiting:{key}"), "the run works")

    run.cancel("the customer has left")

    with pytest.raises(RunCancelled, match="The run was cancelled: the customer has left"):
        run.result(SECONDS)


def test_members_of_a_group_are_cancelled_before_and_while_they_work(shop: Shop, key: str) -> None:
    works, waits = shop.waiter.s(key).set(task_id=f"{key}-a"), shop.careful.s(key).set(task_id=f"{key}-b", queue=key)
    members = group(works, waits).apply_async()
    wait_until(lambda: shop.effects(f"waiting:{key}"), "the first member works")

    for member in members.results:
        shop.app.orchestrator.run(member.id).cancel()
    serve_queue(shop, key)

    for member in members.results:
        with pytest.raises(RunCancelled):
            member.get(timeout=SECONDS)
    assert shop.effects(f"charged:{key}") == []


def test_run_ends_at_its_deadline_at_work_parked_and_in_a_queue(shop: Shop, key: str) -> None:
    at_work = shop.waiter.submit(f"{key}-1", deadline=SOON)
    parked = shop.asker.submit(f"{key}-2", deadline=SOON)
    queued = shop.careful.submit(key, queue=key, deadline=0.5)
    wait_until(lambda: shop.effects(f"waiting:{key}-2"), "the called agent works")
    [child] = parked.summary().waits.values()

    for run in (at_work, parked, shop.app.orchestrator.run(child)):
        with pytest.raises(DeadlineExceeded):
            run.result(SECONDS)

    serve_queue(shop, key)
    with pytest.raises(DeadlineExceeded):
        queued.result(SECONDS)
    assert shop.effects(f"charged:{key}") == []


def test_parked_run_is_cancelled_with_all_that_it_waits_for(shop: Shop, key: str) -> None:
    run = shop.asker.submit(key)
    wait_until(lambda: shop.effects(f"waiting:{key}"), "the called agent works")
    [child] = run.summary().waits.values()

    run.cancel()

    for cancelled in (run, shop.app.orchestrator.run(child)):
        with pytest.raises(RunCancelled):
            cancelled.result(SECONDS)


def test_cancelled_run_fails_its_chain(shop: Shop, key: str) -> None:
    result = (shop.waiter.s(key) | shop.note.s(key=key)).apply_async()
    wait_until(lambda: shop.effects(f"waiting:{key}"), "the run works")

    shop.app.orchestrator.run(result.parent.id).cancel()

    with pytest.raises(RunCancelled):
        result.get(timeout=SECONDS)
    assert shop.effects(key) == []


def test_cancelling_a_run_that_has_ended_changes_nothing(shop: Shop) -> None:
    run = shop.triage.submit("a")
    run.result(SECONDS)

    run.cancel()

    assert run.result(SECONDS) == "closed(a)"
