"""Agents and flows in native canvas, beside ordinary tasks: what leaves their task comes back to the right place."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from celery import chain, chord, group
from celery.exceptions import ChordError
from celery.result import AsyncResult, GroupResult

from orchestrator.errors import UserError
from tests.acceptance.shop import Shop
from tests.support.stack import wait_until

SECONDS = 60


@dataclass(frozen=True)
class Traveller:
    """An agent or flow whose run leaves its first task, and what it answers in the end."""

    name: str
    answer: Callable[[str], str]

    def __str__(self) -> str:
        return self.name


TRAVELLERS = [
    Traveller("triage", lambda text: f"closed({text})"),  # hands over twice
    Traveller("manager", lambda text: f"manager(expert({text}))"),  # calls an agent as a tool
    Traveller("packer", lambda text: f"packer(weighed({text}))"),  # calls a tool on another queue
    Traveller("everything", lambda text: f"finished(weighed({text}))"),  # all three
    Traveller("relay", lambda text: f"closed(expert({text}))"),  # a flow, which ends with its last member
]

FAILING = ["breaker", "late_breaker", "broken"]
"""An agent, one that is called by another, and a flow."""


@pytest.fixture(params=TRAVELLERS, ids=str)
def traveller(request: pytest.FixtureRequest) -> Traveller:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def agent(shop: Shop, traveller: Traveller) -> Any:
    return getattr(shop, traveller.name)


def as_text(values: Iterable[str]) -> str:
    """How an agent sees a list."""
    return json.dumps(list(values))


# ---- the fourteen places ------------------------------------------------------------------------


def test_alone(agent: Any, traveller: Traveller) -> None:
    assert agent.s("a").apply_async().get(timeout=SECONDS) == traveller.answer("a")


def test_first_in_a_chain(shop: Shop, agent: Any, traveller: Traveller) -> None:
    result = chain(agent.s("a"), shop.mark.s()).apply_async()

    assert result.get(timeout=SECONDS) == f"mark({traveller.answer('a')})"
    assert result.parent.get(timeout=SECONDS) == traveller.answer("a")


def test_in_the_middle_of_a_chain(shop: Shop, agent: Any, traveller: Traveller) -> None:
    result = chain(shop.mark.s("a"), agent.s(), shop.mark.s(tag="last")).apply_async()

    assert result.get(timeout=SECONDS) == f"last({traveller.answer('mark(a)')})"
    assert result.parent.get(timeout=SECONDS) == traveller.answer("mark(a)")


def test_last_in_a_chain(shop: Shop, agent: Any, traveller: Traveller) -> None:
    result = chain(shop.mark.s("a"), agent.s()).apply_async()

    assert result.get(timeout=SECONDS) == traveller.answer("mark(a)")


def test_two_agents_in_one_chain(shop: Shop, agent: Any, traveller: Traveller) -> None:
    result = chain(agent.s("a"), shop.mark.s(), agent.s()).apply_async()

    assert result.get(timeout=SECONDS) == traveller.answer(f"mark({traveller.answer('a')})")


def test_in_a_group(shop: Shop, agent: Any, traveller: Traveller) -> None:
    result = group(agent.s("a"), shop.mark.s("b"), agent.s("c")).apply_async()

    assert result.get(timeout=SECONDS) == [traveller.answer("a"), "mark(b)", traveller.answer("c")]


def test_alone_in_the_header_of_a_chord(shop: Shop, agent: Any, traveller: Traveller) -> None:
    result = chord([agent.s("a"), agent.s("b")], shop.gather.s()).apply_async()

    assert result.get(timeout=SECONDS) == f"[{traveller.answer('a')} {traveller.answer('b')}]"


def test_beside_tasks_in_the_header_of_a_chord(shop: Shop, agent: Any, traveller: Traveller) -> None:
    result = chord([shop.mark.s("a"), agent.s("b"), shop.mark.s("c")], shop.gather.s()).apply_async()

    assert result.get(timeout=SECONDS) == f"[mark(a) {traveller.answer('b')} mark(c)]"


def test_as_the_body_of_a_chord(shop: Shop, agent: Any, traveller: Traveller) -> None:
    result = chord([shop.mark.s("a"), shop.mark.s("b")], agent.s()).apply_async()

    assert result.get(timeout=SECONDS) == traveller.answer(as_text(["mark(a)", "mark(b)"]))


def test_in_a_chain_in_the_header_of_a_chord(shop: Shop, agent: Any, traveller: Traveller) -> None:
    inner = chain(shop.mark.s("a"), agent.s(), shop.mark.s())
    result = chord([inner, shop.mark.s("b")], shop.gather.s()).apply_async()

    assert result.get(timeout=SECONDS) == f"[mark({traveller.answer('mark(a)')}) mark(b)]"


def test_in_a_chord_in_the_header_of_a_chord(shop: Shop, agent: Any, traveller: Traveller) -> None:
    inner = chord([agent.s("a"), shop.mark.s("b")], agent.s())
    result = chord([inner, shop.mark.s("c")], shop.gather.s()).apply_async()

    inner_answer = traveller.answer(as_text([traveller.answer("a"), "mark(b)"]))
    assert result.get(timeout=SECONDS) == f"[{inner_answer} mark(c)]"


def test_in_a_chord_that_is_the_body_of_a_chord(shop: Shop, agent: Any, traveller: Traveller) -> None:
    inner = chord([agent.s(), shop.mark.s()], shop.gather.s())
    result = chord([agent.s("a"), shop.mark.s("b")], chain(shop.gather.s(), inner)).apply_async()

    gathered = f"[{traveller.answer('a')} mark(b)]"
    assert result.get(timeout=SECONDS) == f"[{traveller.answer(gathered)} mark({gathered})]"


def test_in_a_group_between_two_links_of_a_chain(shop: Shop, agent: Any, traveller: Traveller) -> None:
    result = chain(agent.s("a"), group(agent.s(), shop.mark.s()), shop.gather.s()).apply_async()

    first = traveller.answer("a")
    assert result.get(timeout=SECONDS) == f"[{traveller.answer(first)} mark({first})]"


def test_in_a_chain_after_a_chord(shop: Shop, agent: Any, traveller: Traveller) -> None:
    result = chain(chord([agent.s("a"), shop.mark.s("b")], shop.gather.s()), agent.s()).apply_async()

    assert result.get(timeout=SECONDS) == traveller.answer(f"[{traveller.answer('a')} mark(b)]")


# ---- callbacks ----------------------------------------------------------------------------------


def test_link_callback_gets_the_answer_once(shop: Shop, agent: Any, traveller: Traveller, key: str) -> None:
    result = agent.apply_async(args=["a"], link=[shop.note.s(key=key), agent.s()])

    assert result.get(timeout=SECONDS) == traveller.answer("a")
    wait_until(lambda: shop.effects(key), "the callback has run")
    settle(shop)
    assert shop.effects(key) == [traveller.answer("a")]


def test_agent_as_a_link_callback_runs_under_an_id_known_in_advance(shop: Shop, key: str) -> None:
    shop.triage.apply_async(args=["a"], task_id=key, link=shop.triage.s())

    assert shop.app.AsyncResult(f"{key}.callback1").get(timeout=SECONDS) == "closed(closed(a))"


def test_link_error_errback_gets_the_error_once(shop: Shop, key: str) -> None:
    result = shop.late_breaker.apply_async(args=["a"], link_error=shop.note_error.s(key=key), link=shop.note.s(key=key))

    with pytest.raises(UserError, match="no stock"):
        result.get(timeout=SECONDS)
    wait_until(lambda: shop.effects(key), "the errback has run")
    settle(shop)
    assert shop.effects(key) == ["UserError: Error running tool explode: no stock"]


# ---- failures: what Celery does for its own tasks -----------------------------------------------


@pytest.mark.parametrize("failing", FAILING)
def test_failing_agent_marks_the_rest_of_its_chain(shop: Shop, failing: str, key: str) -> None:
    result = chain(shop.mark.s("a"), getattr(shop, failing).s(), shop.note.s(key=key), shop.echo.s()).apply_async()

    with pytest.raises(UserError, match="no stock"):
        result.get(timeout=SECONDS)
    # Celery marks the rest of a chain from its end, one after the other.
    nodes = (result, result.parent, result.parent.parent)
    wait_until(lambda: all(node.state == "FAILURE" for node in nodes), "the rest of the chain is marked")
    assert result.parent.parent.parent.state == "SUCCESS"
    assert shop.effects(key) == []


@pytest.mark.parametrize("failing", FAILING)
def test_failing_agent_in_a_group_leaves_the_others_alone(shop: Shop, failing: str) -> None:
    result: GroupResult = group(shop.triage.s("a"), getattr(shop, failing).s("b"), shop.mark.s("c")).apply_async()

    first, second, third = result.join(timeout=SECONDS, propagate=False)
    assert (first, third) == ("closed(a)", "mark(c)")
    assert isinstance(second, UserError)


@pytest.mark.parametrize("failing", FAILING)
def test_failing_agent_in_a_header_fails_the_chord(shop: Shop, failing: str, key: str) -> None:
    body = shop.note.s(key=key).on_error(shop.note_error.s(key=f"{key}-error"))
    result = chord([shop.triage.s("a"), getattr(shop, failing).s("b")], body).apply_async()

    wait_until(lambda: result.state == "FAILURE", "the chord has failed")
    assert isinstance(result.result, ChordError)
    assert "no stock" in str(result.result)
    [error] = wait_until(lambda: shop.effects(f"{key}-error"), "the body's errback has run")
    assert error.startswith("ChordError")
    assert shop.effects(key) == []


@pytest.mark.parametrize("failing", FAILING)
def test_failing_agent_as_the_body_fails_the_chord(shop: Shop, failing: str) -> None:
    result = chord([shop.mark.s("a"), shop.triage.s("b")], getattr(shop, failing).s()).apply_async()

    with pytest.raises(UserError, match="no stock"):
        result.get(timeout=SECONDS)
    assert result.state == "FAILURE"


# ---- a result's id ------------------------------------------------------------------------------


def test_result_is_stored_under_the_id_that_the_producer_chose(
    shop: Shop, agent: Any, traveller: Traveller, key: str
) -> None:
    agent.apply_async(args=["a"], task_id=key)

    result: AsyncResult[str] = shop.app.AsyncResult(key)
    assert result.get(timeout=SECONDS) == traveller.answer("a")
    assert result.state == "SUCCESS"


# ---- helpers ------------------------------------------------------------------------------------


def settle(shop: Shop) -> None:
    """Give a second firing, which must not come, the time to come: the queue is in order."""
    assert [shop.mark.delay("settled").get(timeout=SECONDS) for _ in range(3)] == ["mark(settled)"] * 3
