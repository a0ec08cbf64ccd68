"""Calling tools: arguments, values and exceptions."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from pydantic import BaseModel

from orchestrator.context import RunContext, ToolContext
from orchestrator.errors import ModelBehaviorError, UserError
from orchestrator.tool import FunctionTool, ToolResult, function_tool, parse_arguments
from tests.support.tool_calls import DEFAULT_TEXT, call, raising


class Customer(BaseModel):
    id: str


async def test_async_function_gets_its_arguments_with_their_types() -> None:
    @function_tool
    async def greet(customer: Customer, times: int = 2) -> str:
        return f"{customer.id} {times}"

    result = await call(greet, '{"customer": {"id": "ann"}}')

    assert result == ToolResult(output="ann 2", value="ann 2", failed=False)


async def test_function_that_is_not_async_runs_in_a_thread() -> None:
    @function_tool
    def where() -> str:
        return threading.current_thread().name

    result = await call(where)

    assert result.value != threading.current_thread().name


async def test_awaitable_from_a_function_that_is_not_async_is_awaited() -> None:
    async def later() -> str:
        return "done"

    result = await call(function_tool(lambda: later(), name_override="soon"))

    assert result.output == "done"


async def test_first_parameter_receives_the_context() -> None:
    @function_tool
    def greet(context: ToolContext[Customer], word: str) -> str:
        return f"{word} {context.context.id} {context.idempotency_key}"

    result = await call(greet, '{"word": "Hi"}', Customer(id="ann"))

    assert result.output == "Hi ann run:c"


async def test_tool_made_by_hand_gets_the_arguments_as_the_model_wrote_them() -> None:
    result = await call(FunctionTool("echo", "", {}, _echo), "{not json")

    assert result.output == "{not json"


async def _echo(context: ToolContext[Any], arguments: str) -> str:
    return arguments


# ---- arguments that do not fit -------------------------------------------------------------------


BAD_ARGUMENTS = ["{bad", "[1]", "null", '"x"', " ", "", '{"number": "one"}', "{}", '{"number": null}']


@pytest.mark.parametrize("arguments", BAD_ARGUMENTS)
async def test_bad_arguments_never_reach_the_function(arguments: str) -> None:
    ran = []

    @function_tool
    def count(number: int) -> None:
        ran.append(number)

    result = await call(count, arguments)

    assert result == ToolResult(output=DEFAULT_TEXT, value=DEFAULT_TEXT, failed=True)
    assert not ran


async def test_bad_arguments_end_the_run_without_failure_function() -> None:
    @function_tool(failure_error_function=None)
    def count(number: int) -> None: ...

    with pytest.raises(ModelBehaviorError, match="Invalid JSON input for tool count: `number`: Field required"):
        await call(count)


def test_arguments_are_a_json_object() -> None:
    assert parse_arguments("t", '{"a": [1]}') == {"a": [1]}
    assert parse_arguments("t", "") == {}
    with pytest.raises(ModelBehaviorError, match="Invalid JSON input for tool t: expected a JSON object"):
        parse_arguments("t", "[]")


# ---- exceptions ----------------------------------------------------------------------------------


async def test_exception_becomes_the_default_text() -> None:
    result = await call(raising(ValueError("secret")))

    assert result == ToolResult(output=DEFAULT_TEXT, value=DEFAULT_TEXT, failed=True)


async def test_failure_function_says_what_the_model_is_told() -> None:
    def explain(context: RunContext[Any], error: Exception) -> str:
        return f"{context.run_id}: {type(error).__name__} {error}"

    result = await call(raising(ValueError("boom"), failure_error_function=explain))

    assert result == ToolResult(output="run: ValueError boom", value="run: ValueError boom", failed=True)


async def test_failure_function_may_be_async() -> None:
    async def explain(context: RunContext[Any], error: Exception) -> str:
        return f"later: {error}"

    result = await call(raising(ValueError("boom"), failure_error_function=explain))

    assert result.output == "later: boom"


async def test_exception_ends_the_run_without_failure_function() -> None:
    error = ValueError("boom")

    with pytest.raises(UserError, match=r"^Error running tool fail: boom$") as raised:
        await call(raising(error, failure_error_function=None))

    assert raised.value.__cause__ is error
    assert raised.value.run_id == "run"


async def test_our_own_errors_end_the_run_as_they_are() -> None:
    error = ModelBehaviorError("odd")

    with pytest.raises(ModelBehaviorError) as raised:
        await call(raising(error, failure_error_function=None))

    assert raised.value is error


async def test_exception_of_a_tool_made_by_hand_ends_the_run() -> None:
    async def fail(context: ToolContext[Any], arguments: str) -> str:
        raise ValueError("boom")

    with pytest.raises(UserError, match="Error running tool t: boom"):
        await call(FunctionTool("t", "", {}, fail))


async def test_failure_function_that_fails_ends_the_run() -> None:
    def explain(context: RunContext[Any], error: Exception) -> str:
        raise LookupError("no words")

    with pytest.raises(UserError, match="Error running tool fail: no words"):
        await call(raising(ValueError("boom"), failure_error_function=explain))


async def test_stop_iteration_in_a_thread_is_an_exception_like_any_other() -> None:
    result = await asyncio.wait_for(call(function_tool(lambda: next(iter([])), name_override="first")), timeout=60)

    assert result.output == DEFAULT_TEXT


async def test_value_that_has_no_text_is_a_failure() -> None:
    class Mute:
        def __str__(self) -> str:
            raise ValueError

    result = await call(function_tool(lambda: Mute(), name_override="mute"))

    assert result.failed
