"""How tools are declared."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from orchestrator.context import RunContext, ToolContext
from orchestrator.errors import UserError
from orchestrator.tool import FunctionTool, function_tool


class Customer(BaseModel):
    id: str


def test_decorator_needs_no_arguments() -> None:
    @function_tool
    def find_order(number: int) -> str:
        """Find an order."""
        return str(number)

    assert isinstance(find_order, FunctionTool)
    assert (find_order.name, find_order.description) == ("find_order", "Find an order.")
    assert find_order.params_json_schema["required"] == ["number"]


def test_decorator_takes_options() -> None:
    @function_tool(name_override="look_up", description_override="Look up.", queue="slow", output_format="json")
    def find_order(number: int) -> str: ...

    assert (find_order.name, find_order.description) == ("look_up", "Look up.")
    assert (find_order.queue, find_order.output_format) == ("slow", "json")


def test_tool_that_is_not_strict_may_have_free_keys() -> None:
    @function_tool(strict_mode=False)
    def tag(tags: dict[str, str]) -> None: ...

    assert not tag.strict_json_schema
    assert "additionalProperties" not in tag.params_json_schema


def test_tool_knows_the_type_of_its_context() -> None:
    @function_tool
    def greet(context: RunContext[Customer]) -> None: ...

    assert greet.context_type is Customer


def test_schema_of_a_tool_made_by_hand_is_made_strict() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "default": None}}}

    tool = FunctionTool("t", "", schema, _echo)

    assert tool.params_json_schema == {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "additionalProperties": False,
        "required": ["a"],
    }


def test_timeout_is_for_async_functions_only() -> None:
    def nap() -> None: ...

    with pytest.raises(UserError, match="not async"):
        function_tool(nap, timeout=1)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), True, "1"])
def test_timeout_must_be_a_positive_number(seconds: Any) -> None:
    with pytest.raises(UserError, match="positive number of seconds"):
        FunctionTool("t", "", {}, _echo, timeout_seconds=seconds)


def test_unknown_timeout_behavior_is_refused() -> None:
    with pytest.raises(UserError, match="timeout_behavior"):
        FunctionTool("t", "", {}, _echo, timeout_behavior="ignore")  # type: ignore[arg-type]


async def _echo(context: ToolContext[Any], arguments: str) -> str:
    return arguments
