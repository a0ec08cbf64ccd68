"""Tools: how they are declared, called, and what models are told; equal to the Agents SDK where both can."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from orchestrator import errors
from orchestrator.context import RunContext, ToolContext
from orchestrator.errors import ModelBehaviorError, OrchestratorError, ToolTimeoutError, UserError
from orchestrator.tool import (
    FunctionTool,
    HostedTool,
    ToolCancelled,
    ToolOutputFileContent,
    ToolOutputImage,
    ToolOutputText,
    ToolResult,
    call_tool,
    code_interpreter,
    file_search,
    function_tool,
    parse_arguments,
    web_search,
)
from orchestrator.tool_output import encode_output

DEFAULT_TEXT = "An error occurred while running the tool. Please try again."


class Customer(BaseModel):
    id: str


async def call(tool: FunctionTool, arguments: str = "{}", context: Any = None) -> ToolResult:
    return await call_tool(tool, ToolContext(context, run_id="run", tool_name=tool.name, call_id="c"), arguments)


def raising(error: BaseException, **options: Any) -> FunctionTool:
    async def fail() -> str:
        raise error

    return function_tool(fail, **options)


def too_slow(**options: Any) -> FunctionTool:
    async def sleep() -> str:
        await asyncio.sleep(30)
        return "awake"

    return function_tool(sleep, timeout=0.02, **options)


# ---- declaring -----------------------------------------------------------------------------------


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


# ---- calling -------------------------------------------------------------------------------------


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
    result = await asyncio.wait_for(call(function_tool(lambda: next(iter([])), name_override="first")), timeout=5)

    assert result.output == DEFAULT_TEXT


async def test_value_that_has_no_text_is_a_failure() -> None:
    class Mute:
        def __str__(self) -> str:
            raise ValueError

    result = await call(function_tool(lambda: Mute(), name_override="mute"))

    assert result.failed


# ---- timeouts ------------------------------------------------------------------------------------


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


# ---- being cancelled -----------------------------------------------------------------------------


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


# ---- outcomes, side by side with the Agents SDK --------------------------------------------------


def misbehaving_tool(decorate: Callable[..., Any], errors: Any, **options: Any) -> Any:
    """One tool that can go wrong in every way; both libraries wrap the same function."""

    @decorate(**options)
    async def act(way: str, times: int = 1) -> str:
        match way:
            case "raise":
                raise ValueError("boom")
            case "time out itself":
                raise TimeoutError("mine")
            case "blame the model":
                raise errors.ModelBehaviorError("odd")
            case "blame the user":
                raise errors.UserError("wrong")
            case "sleep":
                await asyncio.sleep(0.3)
        return way * times

    return act


def say(context: Any, error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


async def say_later(context: Any, error: Exception) -> str:
    return say(context, error)


WAYS = ["raise", "time out itself", "blame the model", "blame the user", "sleep", "work"]
CALLS = [*(f'{{"way": "{way}"}}' for way in WAYS), "[1]", '{"way": "x", "times": "2"}', '{"way": "x", "more": 1}']
OPTIONS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "no failure function": {"failure_error_function": None},
    "failure function": {"failure_error_function": say},
    "async failure function": {"failure_error_function": say_later},
    "timeout": {"timeout": 0.05},
    "timeout raises": {"timeout": 0.05, "timeout_behavior": "raise_exception"},
    "timeout function": {"timeout": 0.05, "timeout_error_function": say_later, "failure_error_function": None},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("arguments", CALLS)
async def test_outcome_of_a_call_equals_the_agents_sdks(arguments: str, options: dict[str, Any]) -> None:
    sdk = pytest.importorskip("agents")

    theirs = await _sdk_outcome(sdk, misbehaving_tool(sdk.function_tool, sdk, **options), arguments)
    ours = await _outcome(misbehaving_tool(function_tool, errors, **options), arguments)

    assert ours == theirs


async def _outcome(tool: FunctionTool, arguments: str) -> Any:
    try:
        return (await call(tool, arguments)).output
    except OrchestratorError as error:
        return type(error).__name__, str(error)


async def _sdk_outcome(sdk: Any, tool: Any, arguments: str) -> Any:
    from agents.testing import ScriptedModel, assistant_message, function_call

    model = ScriptedModel([[function_call(tool.name, arguments, call_id="c")], [assistant_message("done")]])
    try:
        result = await sdk.Runner.run(
            sdk.Agent(name="a", model=model, tools=[tool]), "go", run_config=sdk.RunConfig(tracing_disabled=True)
        )
    except sdk.AgentsException as error:
        return type(error).__name__, str(error)
    return next(item.output for item in result.new_items if item.type == "tool_call_output_item")


# ---- what the model sees -------------------------------------------------------------------------


class Note(BaseModel):
    n: int = 1


TEXT_VALUES: list[Any] = ["text", "", 1, 1.5, True, None, {"a": 1}, {}, [], [1, "a"], (), {1}, b"x", Note(), [Note()]]
CONTENT_DICTS: list[Any] = [
    {"type": "text", "text": "hi"},
    {"type": "text", "text": "hi", "more": 1},
    {"type": "image", "image_url": "https://x/y.png"},
    {"type": "image", "file_id": "f", "detail": "low"},
    {"type": "image", "image_url": "u", "detail": None},
    {"type": "file", "file_id": "f"},
    {"type": "file", "file_url": "u"},
    {"type": "file", "file_data": "QQ==", "filename": "a.pdf"},
    [{"type": "text", "text": "a"}, {"type": "image", "image_url": "u"}],
    ({"type": "text", "text": "a"},),
]
CONTENT_LOOKALIKES: list[Any] = [
    {"type": "text"},
    {"type": "text", "text": 5},
    {"text": "hi"},
    {"type": "image"},
    {"type": "image", "image_url": "u", "detail": "huge"},
    {"type": "file", "filename": "a.pdf"},
    {"type": "other"},
    {"type": "input_text", "text": "x"},
    [{"type": "text", "text": "a"}, "b"],
    [[{"type": "text", "text": "a"}]],
]


@pytest.mark.parametrize("value", [*TEXT_VALUES, *CONTENT_DICTS, *CONTENT_LOOKALIKES], ids=str)
def test_output_equals_the_agents_sdks(value: Any) -> None:
    assert encode_output(value) == _sdk_output(value)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("ToolOutputText", {"text": "hi"}),
        ("ToolOutputImage", {"image_url": "u", "detail": "auto"}),
        ("ToolOutputFileContent", {"file_data": "QQ==", "filename": "a.pdf"}),
    ],
)
def test_content_objects_become_the_agents_sdks_items(name: str, fields: dict[str, Any]) -> None:
    sdk = pytest.importorskip("agents")
    ours = {c.__name__: c for c in (ToolOutputText, ToolOutputImage, ToolOutputFileContent)}[name](**fields)
    theirs = getattr(sdk, name)(**fields)

    assert encode_output(ours) == _sdk_output(theirs)
    assert encode_output([ours, {"type": "text", "text": "b"}]) == _sdk_output([theirs, {"type": "text", "text": "b"}])


def _sdk_output(value: Any) -> Any:
    sdk = pytest.importorskip("agents")
    from openai.types.responses import ResponseFunctionToolCall

    asked = ResponseFunctionToolCall(type="function_call", call_id="c", name="t", arguments="{}")
    return sdk.ItemHelpers.tool_call_output_item(asked, value)["output"]


@pytest.mark.parametrize("content_type", [ToolOutputImage, ToolOutputFileContent])
def test_content_needs_a_source(content_type: Callable[[], Any]) -> None:
    with pytest.raises(ValidationError, match="needs"):
        content_type()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is", "as it is"),
        ({"a": 1, "ü": None}, '{"a":1,"ü":null}'),
        (Note(), '{"n":1}'),
        (None, "null"),
        ([Note(), "x"], '[{"n":1},"x"]'),
    ],
)
def test_values_can_be_json_instead(value: Any, text: str) -> None:
    assert encode_output(value, "json") == text


def test_contents_stay_contents_among_json() -> None:
    assert encode_output(ToolOutputText(text="hi"), "json") == [{"type": "input_text", "text": "hi"}]


def test_text_that_is_no_unicode_is_made_so() -> None:
    assert encode_output("report-\udcff.txt") == "report-?.txt"


async def test_result_keeps_the_value_beside_what_the_model_sees() -> None:
    result = await call(function_tool(lambda: Note(n=2), name_override="note", output_format="json"))

    assert result == ToolResult(output='{"n":2}', value=Note(n=2), failed=False)


# ---- tools of the model's server -----------------------------------------------------------------


def test_hosted_tools_equal_the_agents_sdks_on_the_wire() -> None:
    sdk = pytest.importorskip("agents")
    converter = pytest.importorskip("agents.models.openai_responses").Converter
    filters = {"type": "eq", "key": "k", "value": "v"}
    location = {"type": "approximate", "city": "Rome"}
    pairs = [
        (web_search(), sdk.WebSearchTool()),
        (
            web_search(search_context_size="low", user_location=location, external_web_access=False),
            sdk.WebSearchTool(search_context_size="low", user_location=location, external_web_access=False),
        ),
        (
            web_search(filters={"allowed_domains": ["x.org"]}),
            sdk.WebSearchTool(filters={"allowed_domains": ["x.org"]}),
        ),
        (file_search(["vs"]), sdk.FileSearchTool(["vs"])),
        (
            file_search(["vs"], max_num_results=3, filters=filters, ranking_options={"ranker": "auto"}),
            sdk.FileSearchTool(["vs"], max_num_results=3, filters=filters, ranking_options={"ranker": "auto"}),
        ),
        (
            code_interpreter(),
            sdk.CodeInterpreterTool({"type": "code_interpreter", "container": {"type": "auto"}}),
        ),
        (code_interpreter("cntr_1"), sdk.CodeInterpreterTool({"type": "code_interpreter", "container": "cntr_1"})),
    ]

    for ours, theirs in pairs:
        assert [ours.definition] == converter.convert_tools([theirs], []).tools
        assert ours.name == theirs.name


def test_hosted_tools_of_several_mcp_servers_have_different_names() -> None:
    names = {HostedTool({"type": "mcp", "server_label": label}).name for label in ("docs", "mail")}

    assert names == {"mcp:docs", "mcp:mail"}


@pytest.mark.parametrize("definition", [{}, {"type": 3}, "web_search"])
def test_hosted_tool_needs_a_type(definition: Any) -> None:
    with pytest.raises(UserError, match="needs a `type`"):
        HostedTool(definition)
