"""From what a caller gives to a run that the ledger can start."""

from __future__ import annotations

import json
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from openai.types.responses.response_input_item_param import ResponseInputItemParam
from pydantic import BaseModel

from orchestrator.agent import Agent
from orchestrator.errors import ContextNotSerializable, InputTooLarge, InvalidInput
from orchestrator.ledger.base import NewRun
from orchestrator.prices import Price, Prices
from orchestrator.run_options import OptionKeywords, make_options
from orchestrator.settings import Settings
from orchestrator.submission import ITEM_TYPES, new_run, to_items


class Order(BaseModel):
    number: int


def submit(given: Any = "Hi", agent: Agent[Any] | str = "a", *, run_id: str = "r", **options: Any) -> NewRun:
    keywords = {name: options.pop(name) for name in OptionKeywords.__annotations__ if name in options}
    settings = options.pop("settings", Settings())
    return new_run(agent, given, run_id=run_id, settings=settings, options=make_options(**keywords), **options)


def test_text_is_a_user_message() -> None:
    assert to_items("Hi") == [{"role": "user", "content": "Hi"}]


def test_items_stay_as_they_are() -> None:
    items = [{"role": "user", "content": "Hi"}, {"type": "function_call_output", "call_id": "1", "output": "x"}]

    assert to_items(items) == items


def test_values_that_look_like_items_are_data() -> None:
    """As agents' structured outputs may, which a parallel's next step or a chord's body gets as a list."""
    given = [{"type": "invoice", "amount": 3}, {"role": "hero", "content": "brave"}]

    [message] = to_items(given)

    assert json.loads(message["content"]) == given


def test_items_are_what_the_responses_api_takes() -> None:
    hints = [get_type_hints(item)["type"] for item in get_args(ResponseInputItemParam)]
    literals = [get_args(hint) if get_origin(hint) is Union else [hint] for hint in hints]

    assert {name for options in literals for option in options for name in get_args(option)} == ITEM_TYPES


@pytest.mark.parametrize(
    ("given", "text"), [({"a": 1}, '{"a": 1}'), ([1, "ä"], '[1, "ä"]'), (3, "3"), (Order(number=7), '{"number":7}')]
)
def test_other_values_are_shown_as_json(given: Any, text: str) -> None:
    assert to_items(given) == [{"role": "user", "content": text}]


@pytest.mark.parametrize("given", [None, object()])
def test_what_has_no_json_form_is_refused(given: Any) -> None:
    with pytest.raises(InvalidInput, match="text, a list of items or a JSON value"):
        to_items(given)


@pytest.mark.parametrize("run_id", ["", "a b", "a{b}", "ä", "x" * 129])
def test_a_run_id_must_fit_into_keys_and_task_ids(run_id: str) -> None:
    with pytest.raises(InvalidInput, match="A run id is"):
        submit(run_id=run_id)


def test_a_large_input_is_refused_with_the_remedy() -> None:
    with pytest.raises(InputTooLarge, match=r"input for agent `a` has 1,\d+ bytes; 1,000 are allowed"):
        submit("x" * 1000, settings=Settings(max_input_bytes=1000))


def test_a_large_context_is_refused() -> None:
    with pytest.raises(InputTooLarge, match="The context for agent `a`"):
        submit(context={"x": "y" * 1000}, settings=Settings(max_input_bytes=1000))


def test_a_context_without_a_json_form_names_the_agent() -> None:
    with pytest.raises(ContextNotSerializable, match="given to agent `a`"):
        submit(context={"x": object()})


def test_an_agent_brings_its_queue_and_priority() -> None:
    new = submit(agent=Agent("a", queue="slow", priority=3))

    assert (new.task, new.queue, new.priority) == ("agents.a", "slow", 3)


def test_the_caller_overrides_queue_and_priority() -> None:
    new = submit(agent=Agent("a", queue="slow", priority=3), queue="fast", priority=0)

    assert (new.queue, new.priority) == ("fast", 0)


def test_equal_submits_have_equal_digests() -> None:
    assert submit(context={"b": 1, "a": 2}).digest == submit(context={"a": 2, "b": 1}).digest


@pytest.mark.parametrize("name", ["expires", "deadline"])
def test_a_later_moment_is_the_same_submit(name: str) -> None:
    assert submit(**{name: 10}).digest == submit(**{name: 20}).digest == submit().digest


def test_a_budget_of_money_needs_the_price_of_the_agents_model() -> None:
    priced = Settings(model_api="rehearsal", prices=Prices({"rehearsal": Price(input=1, output=2)}))
    agent = Agent("a")

    submit(agent=agent, budget={"money": 0.5}, settings=priced)

    with pytest.raises(InvalidInput, match=r"model `rehearsal` of agent `a` has no price.*ORCHESTRATOR_PRICES"):
        submit(agent=agent, budget={"money": 0.5}, settings=Settings(model_api="rehearsal"))


@pytest.mark.parametrize("other", [{"given": "Ho"}, {"agent": "b"}, {"context": {}}, {"max_turns": 3}])
def test_any_other_difference_is_another_submit(other: dict[str, Any]) -> None:
    assert submit(**other).digest != submit().digest


def test_the_note_is_the_last_text_cut_short() -> None:
    assert submit("one\n two").note == "one two"
    assert len(submit("x" * 500).note) == 120
