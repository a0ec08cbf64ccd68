"""Submitting runs and holding on to them: their results, and that one id is one run."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from orchestrator import Run
from orchestrator.errors import InvalidInput, ResultTimeout, RunConflict, RunNotFound
from tests.acceptance.shop import Basket, Quote, Shop
from tests.support.stack import wait_until

SECONDS = 60


# ---- results ------------------------------------------------------------------------------------


def test_result_is_the_answer_as_its_type(shop: Shop) -> None:
    assert shop.triage.submit("a").result(SECONDS) == "closed(a)"
    assert shop.pricer.submit("tea").result(SECONDS) == Quote(item="tea", cents=100)


def test_result_can_be_had_from_celery_too(shop: Shop) -> None:
    run = shop.triage.submit("a")

    assert shop.app.AsyncResult(run.id).get(timeout=SECONDS) == "closed(a)"


def test_handle_can_be_made_from_the_id_of_any_signature(shop: Shop) -> None:
    run = shop.app.orchestrator.run(shop.pricer.delay("tea").id)

    wait_until(lambda: is_known(run), "the message has been taken up")
    assert run.result(SECONDS) == Quote(item="tea", cents=100)


def test_agent_gives_the_handle_of_any_run(shop: Shop) -> None:
    run = shop.pricer.submit("tea")

    assert shop.triage.handle(run.id).result(SECONDS) == Quote(item="tea", cents=100)


def test_context_travels_with_the_run(shop: Shop) -> None:
    run = shop.shopper.submit("milk", context=Basket(customer="Ada", items=["tea"]))

    assert run.result(SECONDS) == "basket(Ada: tea, milk)"


def test_queue_and_priority_beat_the_agents_own(shop: Shop) -> None:
    run = shop.echo.submit("a", queue="heavy", priority=2)

    assert run.result(SECONDS) == "a"
    assert {entry.worker for entry in entries(run, "invocation")} == {"heavy@test"}


def test_several_event_loops_in_turn_can_submit_and_await(shop: Shop) -> None:
    async def serve(number: int) -> list[str]:
        runs = [await shop.triage.asubmit(f"{number}.{place}") for place in range(3)]
        return list(await asyncio.gather(*(run.aresult(SECONDS) for run in runs)))

    async def await_one(run: Run) -> Any:
        return await run

    for number in range(3):
        answers = asyncio.run(serve(number))
        assert answers == [f"closed({number}.{place})" for place in range(3)]
    run = shop.triage.submit("last")
    assert asyncio.run(await_one(run)) == asyncio.run(await_one(run)) == "closed(last)"


def test_many_threads_submit_at_once(shop: Shop) -> None:
    answers: dict[int, Any] = {}

    def submit(number: int) -> None:
        answers[number] = shop.echo.submit(str(number)).result(SECONDS)

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert answers == {number: str(number) for number in range(8)}


def test_waiting_for_a_result_gives_up_while_the_run_goes_on(shop: Shop, key: str) -> None:
    run = shop.waiter.submit(key)

    with pytest.raises(ResultTimeout, match=r"has not ended within 0\.3 seconds. It goes on"):
        run.result(0.3)
    shop.set_flag(key)
    assert run.result(SECONDS) == f"waited(saw {key})"


def test_unknown_run_is_said_to_be_unknown(shop: Shop) -> None:
    run = shop.app.orchestrator.run("never-submitted")

    for ask in (run.status, run.result, run.summary, lambda: list(run.events())):
        with pytest.raises(RunNotFound, match=r"There is no run 'never-submitted'.*retention"):
            ask()


# ---- idempotence --------------------------------------------------------------------------------


def test_same_id_and_input_is_the_same_run(shop: Shop, key: str) -> None:
    first = shop.triage.submit("a", run_id=key)
    second = shop.triage.submit("a", run_id=key)

    assert first.id == second.id == key
    assert [first.result(SECONDS), second.result(SECONDS)] == ["closed(a)", "closed(a)"]
    assert shop.triage.submit("a", run_id=key).result(SECONDS) == "closed(a)"
    assert [entry.step for entry in entries(first, "invocation")] == [1, 2, 3]


def test_many_submits_of_one_id_at_once_are_one_run(shop: Shop, key: str) -> None:
    async def submit() -> list[Any]:
        runs = await asyncio.gather(*(shop.triage.asubmit("a", run_id=key) for _ in range(8)))
        return await asyncio.gather(*(run.aresult(SECONDS) for run in runs))

    assert asyncio.run(submit()) == ["closed(a)"] * 8
    assert [entry.step for entry in entries(shop.app.orchestrator.run(key), "invocation")] == [1, 2, 3]


def test_same_id_with_other_input_is_a_conflict(shop: Shop, key: str) -> None:
    run = shop.triage.submit("a", run_id=key)

    with pytest.raises(RunConflict, match=f"Run `{key}` exists with another agent or input"):
        shop.triage.submit("b", run_id=key)
    with pytest.raises(RunConflict):
        shop.echo.submit("a", run_id=key)
    assert run.result(SECONDS) == "closed(a)"


def test_run_id_must_be_usable_as_a_key(shop: Shop) -> None:
    with pytest.raises(InvalidInput, match="letters, digits, dots"):
        shop.triage.submit("a", run_id="a b{c}")


# ---- helpers ------------------------------------------------------------------------------------


def entries(run: Run, kind: str) -> list[Any]:
    """The run's own entries of one kind, once it has ended."""
    return [event.entry for event in run.events(children=False) if event.type == kind]


def is_known(run: Run) -> bool:
    try:
        return bool(run.status())
    except RunNotFound:
        return False
