"""Calls a tool, and turns whatever comes of it into something to tell the model."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from orchestrator.context import ToolContext
from orchestrator.errors import OrchestratorError, ToolTimeoutError, UserError
from orchestrator.tool_output import encode_output

if TYPE_CHECKING:
    from orchestrator.agent_tool import AgentTool
    from orchestrator.tool import FunctionTool

logger = logging.getLogger(__name__)

FailureFunction = Callable[[ToolContext[Any], Exception], str | Awaitable[str]]
FailureErrorFunction = FailureFunction | None


@dataclass(frozen=True)
class ToolResult:
    """What came of a call."""

    output: str | list[dict[str, Any]]
    """What the model sees."""
    value: Any
    """What the tool returned; of a failed call, what its failure function said."""
    failed: bool = False


class ToolCancelled(Exception):
    """A tool raised `CancelledError` although nobody cancelled its call. What failure functions get for it."""


def default_tool_error_function(context: ToolContext[Any], error: Exception) -> str:
    """What the model is told about an exception by default: nothing that could be secret."""
    return "An error occurred while running the tool. Please try again."


DEFAULT_FAILURE: FailureErrorFunction = default_tool_error_function


async def call_tool(tool: FunctionTool, context: ToolContext[Any], arguments: str) -> ToolResult:
    """Run a tool with the arguments that the model wrote.

    Arguments that do not fit, exceptions and timeouts become what the tool's failure functions say. Where it
    has none, raises `UserError` caused by the exception, or the exception itself if it is an
    `OrchestratorError`. Being cancelled cancels the tool, and is never taken for a failure.
    """
    cancels = _count_cancels()
    limit = asyncio.timeout(tool.timeout_seconds)
    try:
        async with limit:
            value = await tool.on_invoke_tool(context, arguments)
        return ToolResult(encode_output(value, tool.output_format), value)
    except TimeoutError as error:
        # Not the tool's own TimeoutError, which is a failure like any other.
        if limit.expired():
            return await _time_out(tool, context, error)
        return await fail_call(tool, context, error)
    except asyncio.CancelledError as error:
        if _count_cancels() > cancels:
            context.cancelled = True  # a thread cannot be stopped, but told
            raise
        return await fail_call(tool, context, ToolCancelled(str(error) or "Tool execution cancelled."))
    except Exception as error:
        return await fail_call(tool, context, error)


async def describe_failure(function: FailureFunction, context: ToolContext[Any], error: Exception) -> str:
    """What a failure function, which may be async, says about an error."""
    text = function(context, error)
    return await text if inspect.isawaitable(text) else text


async def fail_call(tool: FunctionTool | AgentTool, context: ToolContext[Any], error: Exception) -> ToolResult:
    """What the tool's failure function says about an error. Raises, as `call_tool` does, where it has none."""
    function = tool.failure_error_function
    if function is None and isinstance(error, ToolCancelled):
        function = default_tool_error_function
    if function is None:
        _end_run(tool, context, error)
    # A traceback helps with the tool's own errors, not with arguments that the model got wrong.
    trace = None if isinstance(error, OrchestratorError) else error
    logger.warning(
        "Tool `%s` of run %s failed; its model is told: %s", tool.name, context.run_id, error, exc_info=trace
    )
    return await _tell(tool, context, function, error)


async def _time_out(tool: FunctionTool, context: ToolContext[Any], cause: TimeoutError) -> ToolResult:
    error = ToolTimeoutError(
        f"Tool '{tool.name}' timed out after {tool.timeout_seconds:g} seconds.",
        run_id=context.run_id,
        tool_name=tool.name,
        timeout_seconds=tool.timeout_seconds,
    )
    if tool.timeout_behavior == "raise_exception":
        raise error from cause
    logger.warning("%s Run %s goes on; its model is told.", error.message, context.run_id)
    return await _tell(tool, context, tool.timeout_error_function or _say_message, error)


async def _tell(
    tool: FunctionTool | AgentTool, context: ToolContext[Any], function: FailureFunction, error: Exception
) -> ToolResult:
    try:
        text = await describe_failure(function, context, error)
        return ToolResult(encode_output(text), text, failed=True)
    except Exception as second_error:
        _end_run(tool, context, second_error)


def _end_run(tool: FunctionTool | AgentTool, context: ToolContext[Any], error: Exception) -> NoReturn:
    if isinstance(error, OrchestratorError):
        raise error
    raise UserError(f"Error running tool {tool.name}: {error}", run_id=context.run_id, tool_name=tool.name) from error


def _say_message(context: ToolContext[Any], error: Exception) -> str:
    return str(error)


def _count_cancels() -> int:
    """How often somebody asked the current task to stop."""
    task = asyncio.current_task()
    return task.cancelling() if task else 0
