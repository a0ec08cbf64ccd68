"""What comes of a call that goes wrong, side by side with the Agents SDK."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from orchestrator import errors
from orchestrator.errors import OrchestratorError
from orchestrator.tool import FunctionTool, function_tool
from tests.support.tool_calls import call


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
