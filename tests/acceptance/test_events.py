"""What becomes of a run is seen while it lives: its events and its status."""

from __future__ import annotations

import asyncio

import pytest

from tests.acceptance.conftest import APP, producing, serve_queue
from tests.acceptance.shop import Shop
from tests.support.stack import Stack, wait_until

SECONDS = 60


def test_events_come_while_the_run_is_going_on(shop: Shop, key: str) -> None:
    run = shop.waiter.submit(key)
    seen = []

    for event in run.events():
        seen.append(event.type)
        if event.type == "started":
            assert run.status() == "running"
            shop.set_flag(key)

    assert seen == ["input", "invocation", "reply", "started", "output", "reply", "outcome"]


def test_events_can_be_read_again_from_any_loop(shop: Shop) -> None:
    run = shop.triage.submit("a")
    run.result(SECONDS)

    async def read() -> list[str]:
        return [event.type async for event in run.aevents()]

    assert asyncio.run(read()) == asyncio.run(read()) == [event.type for event in run.events()]


def test_events_of_called_agents_come_between_the_callers(shop: Shop) -> None:
    run = shop.manager.submit("a")

    events = list(run.events())

    assert {event.run_id.split(":")[0] for event in events} == {run.id}
    assert len({event.run_id for event in events}) == 2
    assert all(event.run_id == run.id for event in run.events(children=False))


def test_status_is_queued_until_a_worker_serves_the_queue(shop: Shop, stack: Stack, key: str) -> None:
    run = shop.triage.submit("a", queue=key)

    assert run.status() == "queued"
    serve_queue(shop, key)
    assert run.result(SECONDS) == "closed(a)"
    wait_until(lambda: run.status() == "done", "the answer is delivered")


def test_status_is_parked_while_a_called_agent_works(shop: Shop, key: str) -> None:
    run = shop.asker.submit(key)

    wait_until(lambda: run.status() == "parked", "the caller waits")
    [child] = run.summary().waits.values()
    wait_until(lambda: shop.effects(f"waiting:{key}"), "the called agent works")
    assert shop.app.orchestrator.run(child).status() == "running"
    shop.set_flag(key)
    assert run.result(SECONDS) == f"asker(waited(saw {key}))"


def test_parked_caller_holds_no_slot(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Stack(tmp_path_factory.mktemp("single"), app=APP) as stack:
        stack.start_worker(concurrency=1)

        with producing(stack) as shop:
            runs = [shop.busy.submit(f"number {number}") for number in range(3)]

            assert [run.result(SECONDS) for run in runs] == ["one and two"] * 3
