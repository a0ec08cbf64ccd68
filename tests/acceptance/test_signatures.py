"""An agent's signature is sent as any task's, and values pass between agents and tasks."""

from __future__ import annotations

import json
import time

from celery import chain, chord

from tests.acceptance.shop import Quote, Shop

SECONDS = 60


# ---- the ways to send an agent ------------------------------------------------------------------


def test_delay_sends_like_any_task(shop: Shop) -> None:
    assert shop.triage.delay("a").get(timeout=SECONDS) == "closed(a)"


def test_immutable_signature_ignores_the_previous_result(shop: Shop) -> None:
    result = chain(shop.mark.s("a"), shop.triage.si("own")).apply_async()

    assert result.get(timeout=SECONDS) == "closed(own)"


def test_signature_takes_the_runs_options(shop: Shop) -> None:
    given = {"customer": "Ada", "items": ["tea"]}

    answer = shop.shopper.s("milk", context=given, max_turns=2).apply_async().get(timeout=SECONDS)

    assert answer == "basket(Ada: tea, milk)"


def test_agent_goes_to_its_own_queue_unless_told_otherwise(shop: Shop, key: str) -> None:
    own, told = shop.faraway.delay("a"), shop.faraway.apply_async(args=["b"], queue="celery", task_id=key)

    assert [own.get(timeout=SECONDS), told.get(timeout=SECONDS)] == ["faraway(a)", "faraway(b)"]
    assert (worker_of(shop, own.id), worker_of(shop, key)) == ("heavy@test", "main@test")


def test_priority_and_countdown_are_celerys(shop: Shop) -> None:
    began = time.monotonic()
    result = shop.triage.apply_async(args=["a"], priority=3, countdown=1)

    assert result.get(timeout=SECONDS) == "closed(a)"
    assert time.monotonic() - began >= 1


# ---- values -------------------------------------------------------------------------------------


def test_structured_output_is_a_dict_for_the_next_task(shop: Shop, key: str) -> None:
    result = chain(shop.pricer.s("tea"), shop.note.s(key=key)).apply_async()

    assert result.get(timeout=SECONDS) == {"item": "tea", "cents": 100}
    assert shop.effects(key) == [{"item": "tea", "cents": 100}]


def test_agent_sees_the_previous_tasks_dict_as_json(shop: Shop) -> None:
    result = chain(shop.order.s("tea"), shop.echo.s()).apply_async()

    assert json.loads(result.get(timeout=SECONDS)) == {"item": "tea", "count": 2}


def test_structured_output_passes_from_agent_to_agent(shop: Shop) -> None:
    result = chain(shop.pricer.s("tea"), shop.triage.s()).apply_async()

    assert result.get(timeout=SECONDS) == 'closed({"item": "tea", "cents": 100})'


def test_pydantic_model_is_an_input(shop: Shop) -> None:
    assert json.loads(shop.echo.submit(Quote(item="tea", cents=5)).result(SECONDS)) == {"item": "tea", "cents": 5}


def test_body_agent_gets_the_list_of_all_results(shop: Shop) -> None:
    header = [shop.pricer.s("tea"), shop.order.s("milk"), shop.mark.s("a")]

    answer = chord(header, shop.echo.s()).apply_async().get(timeout=SECONDS)

    assert json.loads(answer) == [{"item": "tea", "cents": 100}, {"item": "milk", "count": 2}, "mark(a)"]


# ---- helpers ------------------------------------------------------------------------------------


def worker_of(shop: Shop, run_id: str) -> str:
    """Which worker claimed the run's first step."""
    [invoked] = [event.entry for event in shop.app.orchestrator.run(run_id).events() if event.type == "invocation"]
    worker: str = invoked.worker
    return worker
