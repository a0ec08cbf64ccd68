"""The context between JSON and the object that user code sees."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import BaseModel

from orchestrator.agent import Agent
from orchestrator.context import RunContext
from orchestrator.context_binding import ContextBinding, check_context, dump_context, find_context_type
from orchestrator.errors import ContextNotSerializable, UserError
from orchestrator.tool import function_tool


class Basket(BaseModel):
    items: list[str] = []
    paid: bool = False


@dataclass
class Counter:
    count: int
    names: list[str] = field(default_factory=list)


def bind(dumped: dict[str, Any] | None, context_type: Any = None) -> ContextBinding:
    return ContextBinding(dumped, context_type, owner="run r")


@pytest.mark.parametrize("context", [Basket(items=["a"]), {"items": ["a"], "paid": False}])
def test_models_and_dicts_become_json(context: Any) -> None:
    assert dump_context(context, owner="agent `a`") == {"items": ["a"], "paid": False}


def test_dataclasses_become_json() -> None:
    assert dump_context(Counter(1), owner="agent `a`") == {"count": 1, "names": []}


def test_no_context_stays_none() -> None:
    assert dump_context(None, owner="agent `a`") is None
    assert bind(None).value is None


def test_a_context_with_a_connection_in_it_is_refused_with_the_remedy() -> None:
    with pytest.raises(ContextNotSerializable, match=r"given to agent `a` cannot be written as JSON.*ctx.resource"):
        dump_context({"connection": object()}, owner="agent `a`")


def test_a_context_that_is_no_object_is_refused() -> None:
    with pytest.raises(ContextNotSerializable, match="is a list; it must be"):
        dump_context([1], owner="agent `a`")


def test_a_context_of_another_type_is_refused_at_once() -> None:
    with pytest.raises(ContextNotSerializable, match="works with a Basket as context, not with a Counter"):
        check_context(Counter(1), Agent("a", context_type=Basket))


def test_a_dict_that_fits_is_accepted() -> None:
    check_context({"items": []}, Agent("a", context_type=Basket))


def test_a_dict_that_does_not_fit_is_refused_at_once() -> None:
    with pytest.raises(ContextNotSerializable, match="context given to agent `a` is no Basket: `items`"):
        check_context({"items": 3}, Agent("a", context_type=Basket))


def test_the_type_is_found_at_the_nearest_agent() -> None:
    def look(ctx: RunContext[Basket]) -> str:
        return "x"

    last = Agent("c", tools=[function_tool(look)])
    called = Agent("b", handoffs=[last])

    assert find_context_type(Agent("a", tools=[called.as_tool()])) is Basket


def test_the_type_is_looked_for_in_circles_once() -> None:
    first = Agent("a")
    first.handoffs.append(Agent("b", handoffs=[first]))

    assert find_context_type(first) is None


def test_the_context_is_rebuilt_as_its_type() -> None:
    assert bind({"count": 1, "names": ["a"]}, Counter).value == Counter(1, ["a"])


def test_a_context_that_does_not_fit_its_type_is_an_error_that_names_the_run() -> None:
    with pytest.raises(UserError, match="The context of run r is no valid Counter"):
        bind({"count": "many"}, Counter)


def test_a_patch_holds_the_top_level_fields_that_changed() -> None:
    binding = bind({"items": [], "paid": False}, Basket)

    binding.value.items.append("pear")

    assert binding.take_patch() == {"items": ["pear"]}


def test_a_patch_is_taken_once() -> None:
    binding = bind({"n": 1})
    binding.value["n"] = 2
    binding.take_patch()

    assert binding.take_patch() is None


def test_a_merge_touches_the_fields_of_the_patch_only() -> None:
    binding = bind({"items": ["a"], "paid": False}, Basket)
    binding.value.items.append("mine")

    binding.merge({"paid": True})

    assert binding.value == Basket(items=["a", "mine"], paid=True)


def test_what_was_merged_is_part_of_the_next_patch() -> None:
    binding = bind({"a": 1, "b": 1})
    binding.value["b"] = 2

    binding.merge({"a": 3})

    assert binding.take_patch() == {"a": 3, "b": 2}
