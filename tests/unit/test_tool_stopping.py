"""Tools that take too long or are cancelled."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from orchestrator.context import RunContext, ToolContext
from orchestrator.errors import RunCancelled, ToolTimeoutError
from orchestrator.tool import FunctionTool, ToolCancelled, ToolResult, function_tool
from tests.support.tool_calls import DEFAULT_TEXT, call, raising, too_slow


async def test_timeout_tells_the_model() -> None:
    result = await call(too_slow())

    text = "Tool 'sleep' timed out after 0.02 seconds."
    assert result == ToolResult(output=text, value=text, failed=True)


async def test_timeout_function_says_what_the_model_is_told() -> None:
    async def explain(context: RunContext[Any], error: Exception) -> str:
        return f"{type(error).__name__}: {error}"

    result = await call(too_slow(timeout_error_function=explain))

    assert result.output == "ToolTimeoutError: Tool 'sleep' timed out after 0.02 seconds."


async def test_timeout_can_end_the_run() -> None:
    with pytest.raises(ToolTimeoutError, match=r"Tool 'sleep' timed out after 0\.02 seconds\.") as raised:
        await call(too_slow(timeout_behavior="raise_exception"))

    assert raised.value.data == {"tool_name": "sleep", "timeout_seconds": 0.02}


async def test_timeout_error_of_the_tools_own_is_an_exception_like_any_other() -> None:
    def explain(context: RunContext[Any], error: Exception) -> str:
        return f"{type(error).__name__} {error}"

    tool = raising(TimeoutError("database"), timeout=5, failure_error_function=explain)

    assert (await call(tool)).output == "TimeoutError database"


async def test_tool_made_by_hand_can_time_out() -> None:
    async def sleep(context: ToolContext[Any], arguments: str) -> None:
        await asyncio.sleep(30)

    result = await call(FunctionTool("nap", "", {}, sleep, timeout_seconds=0.01))

    assert result.output == "Tool 'nap' timed out after 0.01 seconds."


async def test_tools_own_cancelled_error_becomes_the_default_text() -> None:
    result = await call(raising(asyncio.CancelledError()))

    assert result == ToolResult(output=DEFAULT_TEXT, value=DEFAULT_TEXT, failed=True)


async def test_cancelled_child_task_of_a_tool_is_told_to_the_failure_function() -> None:
    def explain(context: RunContext[Any], error: Exception) -> str:
        return f"{type(error).__name__}: {error}"

    @function_tool(failure_error_function=explain)
    async def delegate() -> None:
        child = asyncio.ensure_future(asyncio.sleep(30))
        child.cancel()
        await child

    result = await call(delegate)

    assert result.output == f"{ToolCancelled.__name__}: Tool execution cancelled."


async def test_own_cancelled_error_of_a_tool_made_by_hand_becomes_the_default_text() -> None:
    async def cancel(context: ToolContext[Any], arguments: str) -> str:
        raise asyncio.CancelledError

    result = await call(FunctionTool("t", "", {}, cancel))

    assert result.output == DEFAULT_TEXT


@pytest.mark.parametrize("timeout", [None, 5])
async def test_cancelling_the_call_cancels_the_tool(timeout: float | None) -> None:
    started, stopped = asyncio.Event(), asyncio.Event()

    @function_tool(timeout=timeout)
    async def sleep() -> None:
        started.set()
        try:
            await asyncio.sleep(30)
        finally:
            stopped.set()

    task = asyncio.ensure_future(call(sleep))
    await started.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert stopped.is_set()


async def test_a_tool_in_a_thread_sees_that_it_is_cancelled() -> None:
    began, seen = asyncio.Event(), asyncio.Queue[str]()
    loop = asyncio.get_running_loop()

    @function_tool
    def look_round(context: ToolContext[Any]) -> None:
        loop.call_soon_threadsafe(began.set)
        deadline = time.monotonic() + 60
        while not context.cancelled and time.monotonic() < deadline:
            time.sleep(0.01)
        try:
            context.raise_if_cancelled()
        except RunCancelled as error:
            loop.call_soon_threadsafe(seen.put_nowait, error.message)

    task = asyncio.ensure_future(call(look_round))
    await began.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.wait_for(seen.get(), 60) == "Nobody waits for this call of `look_round` any more."


async def test_a_tool_that_nobody_cancelled_goes_on() -> None:
    @function_tool
    def look_round(context: ToolContext[Any]) -> str:
        context.raise_if_cancelled()
        return "fine"

    assert (await call(look_round)).output == "fine"
