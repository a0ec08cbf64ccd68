"""`FunctionTool` and `@function_tool`: Python functions that models may call."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, Unpack, get_args, overload

from orchestrator.approval import NeedsApproval, check_approval, check_seconds
from orchestrator.context import ToolContext
from orchestrator.docstrings import DocstringStyle
from orchestrator.errors import UserError
from orchestrator.function_schema import FunctionSchema, function_schema, parse_arguments
from orchestrator.guardrail import ToolInputGuardrail, ToolOutputGuardrail, check_guardrails
from orchestrator.handoff import IsEnabled
from orchestrator.hosted_tool import HostedTool, code_interpreter, file_search, web_search
from orchestrator.output_schema import AgentOutputSchema
from orchestrator.strict_schema import strict_json_schema
from orchestrator.tool_call import (
    DEFAULT_FAILURE,
    FailureErrorFunction,
    FailureFunction,
    ToolCancelled,
    ToolResult,
    call_tool,
    default_tool_error_function,
    describe_failure,
)
from orchestrator.tool_output import OutputFormat, ToolOutputFileContent, ToolOutputImage, ToolOutputText

__all__ = [
    "DEFAULT_FAILURE",
    "FailureErrorFunction",
    "FailureFunction",
    "FunctionTool",
    "HostedTool",
    "ToolCancelled",
    "ToolOptions",
    "ToolOutputFileContent",
    "ToolOutputImage",
    "ToolOutputText",
    "ToolResult",
    "call_tool",
    "code_interpreter",
    "default_tool_error_function",
    "describe_failure",
    "file_search",
    "function_tool",
    "parse_arguments",
    "web_search",
]

TimeoutBehavior = Literal["error_as_result", "raise_exception"]
OnInterrupt = Literal["rerun", "report", "ask"]


@dataclass(eq=False)
class FunctionTool:
    """A tool that runs in a worker. `@function_tool` makes one from a function.

    One made by hand parses its arguments itself, and its exceptions end the run unless it has a
    `failure_error_function`.
    """

    name: str
    description: str
    params_json_schema: Mapping[str, Any]
    """Made strict here, unless `strict_json_schema` is false."""
    on_invoke_tool: Callable[[ToolContext[Any], str], Awaitable[Any]]
    """Called with the context and the arguments as the model wrote them; returns the tool's value."""
    strict_json_schema: bool = True
    is_enabled: IsEnabled = True
    """Whether the model may see the tool, or a function of (context, agent) that says so, asked every turn."""
    failure_error_function: FailureErrorFunction = None
    """Turns an exception into what the model is told. `None`: the exception ends the run."""
    timeout_seconds: float | None = None
    timeout_behavior: TimeoutBehavior = "error_as_result"
    """Whether the model is told about a timeout, or `ToolTimeoutError` ends the run."""
    timeout_error_function: FailureFunction | None = None
    """What the model is told about a timeout, in place of a standard sentence."""
    queue: str | None = None
    """The Celery queue on which the tool runs as a task of its own; `None`: in the agent's task."""
    on_interrupt: OnInterrupt = "rerun"
    """What becomes of a call whose worker died in the middle: run again under the same idempotency key; the model is
    told that the outcome is unknown, and the tool never starts twice; or a person is asked which of the two."""
    needs_approval: NeedsApproval = False
    """Whether a person must approve each call, or a function of (context, arguments, call id) that says so."""
    approval_expires_seconds: float | None = None
    """After how long without a decision a call counts as rejected. Default: the setting of the same name."""
    tool_input_guardrails: Sequence[ToolInputGuardrail] = ()
    """Asked before each call runs."""
    tool_output_guardrails: Sequence[ToolOutputGuardrail] = ()
    """Asked before the model sees the output."""
    answer_schema: AgentOutputSchema | None = None
    """Set by `ask_person`: the calls are questions, and a person's answer of this type is their output."""
    output_format: OutputFormat = "str"
    """How values become text for the model: `str()` as in the Agents SDK, or JSON."""
    context_type: Any = None
    """The `T` of the function's `RunContext[T]`: the context is rebuilt as one."""

    def __post_init__(self) -> None:
        if self.strict_json_schema:
            self.params_json_schema = strict_json_schema(self.params_json_schema)
        _check_options(self)


class ToolOptions(TypedDict, total=False):
    """The keyword arguments of `@function_tool`."""

    name_override: str | None
    """The tool's name, if not the function's."""
    description_override: str | None
    """The description, if not the docstring's."""
    docstring_style: DocstringStyle | None
    """Default: found out."""
    use_docstring_info: bool
    """False: the docstring is not for models. Default: true."""
    failure_error_function: FailureErrorFunction
    """See `FunctionTool`. Default: the model is told that an error occurred, and not which."""
    strict_mode: bool
    """Whether models are held to the parameters' schema. Default: true."""
    is_enabled: IsEnabled
    timeout: float | None
    """In seconds; for async functions only, as a thread cannot be stopped."""
    timeout_behavior: TimeoutBehavior
    timeout_error_function: FailureFunction | None
    queue: str | None
    on_interrupt: OnInterrupt
    needs_approval: NeedsApproval
    approval_expires_seconds: float | None
    tool_input_guardrails: Sequence[ToolInputGuardrail]
    tool_output_guardrails: Sequence[ToolOutputGuardrail]
    output_format: OutputFormat


@overload
def function_tool(function: Callable[..., Any], /, **options: Unpack[ToolOptions]) -> FunctionTool: ...


@overload
def function_tool(**options: Unpack[ToolOptions]) -> Callable[[Callable[..., Any]], FunctionTool]: ...


def function_tool(
    function: Callable[..., Any] | None = None, /, **options: Unpack[ToolOptions]
) -> FunctionTool | Callable[[Callable[..., Any]], FunctionTool]:
    """Make a tool of a function: `@function_tool`, or with options `@function_tool(timeout=5)`.

    Name, description and parameters come from the signature and the docstring. A first parameter annotated
    `RunContext` or `ToolContext` receives the context and is not shown to the model. Functions that are not
    async run in a thread. The function may run again when a worker was lost: `ToolContext.idempotency_key`.
    """
    if function is not None:
        return _make_tool(function, options)
    return lambda decorated: _make_tool(decorated, options)


def _make_tool(function: Callable[..., Any], options: ToolOptions) -> FunctionTool:
    schema = function_schema(
        function,
        name_override=options.get("name_override"),
        description_override=options.get("description_override"),
        docstring_style=options.get("docstring_style"),
        use_docstring_info=options.get("use_docstring_info", True),
        strict_json_schema=options.get("strict_mode", True),
    )
    if options.get("timeout") is not None and not inspect.iscoroutinefunction(function):
        raise UserError(f"Tool `{schema.name}` has a timeout but is not async: a thread cannot be stopped.")
    return FunctionTool(
        name=schema.name,
        description=schema.description,
        params_json_schema=schema.params_json_schema,
        on_invoke_tool=_invoker(function, schema),
        strict_json_schema=options.get("strict_mode", True),
        is_enabled=options.get("is_enabled", True),
        failure_error_function=options.get("failure_error_function", DEFAULT_FAILURE),
        timeout_seconds=options.get("timeout"),
        timeout_behavior=options.get("timeout_behavior", "error_as_result"),
        timeout_error_function=options.get("timeout_error_function"),
        queue=options.get("queue"),
        on_interrupt=options.get("on_interrupt", "rerun"),
        needs_approval=options.get("needs_approval", False),
        approval_expires_seconds=options.get("approval_expires_seconds"),
        tool_input_guardrails=options.get("tool_input_guardrails", ()),
        tool_output_guardrails=options.get("tool_output_guardrails", ()),
        output_format=options.get("output_format", "str"),
        context_type=schema.context_type,
    )


def _invoker(function: Callable[..., Any], schema: FunctionSchema) -> Callable[[ToolContext[Any], str], Awaitable[Any]]:
    is_async = inspect.iscoroutinefunction(function)

    async def invoke(context: ToolContext[Any], arguments: str) -> Any:
        args, kwargs = schema.bind(schema.parse(arguments))
        if schema.takes_context:
            args = [context, *args]
        if is_async:
            return await function(*args, **kwargs)
        value = await asyncio.to_thread(_call_in_thread, function, args, kwargs)
        return await value if inspect.isawaitable(value) else value

    return invoke


def _call_in_thread(function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> Any:
    try:
        return function(*args, **kwargs)
    except StopIteration as error:
        # A future takes no StopIteration: the await on this thread would never return.
        raise RuntimeError(f"The function raised StopIteration({error})") from error


def _check_options(tool: FunctionTool) -> None:
    if tool.on_interrupt not in get_args(OnInterrupt):
        choices = ", ".join(map(repr, get_args(OnInterrupt)))
        raise UserError(f"on_interrupt of tool `{tool.name}` must be one of {choices}, not {tool.on_interrupt!r}.")
    check_seconds(tool.timeout_seconds, f"The timeout of tool `{tool.name}`")
    check_guardrails(f"Tool `{tool.name}`", tool.tool_input_guardrails, ToolInputGuardrail)
    check_guardrails(f"Tool `{tool.name}`", tool.tool_output_guardrails, ToolOutputGuardrail)
    check_approval(tool.name, tool.needs_approval, tool.approval_expires_seconds)
    if tool.timeout_behavior not in ("error_as_result", "raise_exception"):
        raise UserError(
            f"The timeout_behavior of tool `{tool.name}` must be 'error_as_result' or 'raise_exception', "
            f"not {tool.timeout_behavior!r}."
        )
