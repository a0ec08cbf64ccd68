"""`tool_use_behavior`: whether the outputs of tools are the agent's answer already."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from orchestrator.agent import Agent, FunctionToolResult, ToolsToFinalOutputResult
from orchestrator.context import RunContext
from orchestrator.errors import UserError
from orchestrator.output_schema import output_schema_of

GOING_ON = ToolsToFinalOutputResult(is_final_output=False)


async def ask_behavior(
    agent: Agent[Any], context: RunContext[Any], results: Sequence[FunctionToolResult]
) -> ToolsToFinalOutputResult:
    """What the agent's behavior makes of the results. An agent that answers with text gets text."""
    behavior = agent.tool_use_behavior
    if not results:
        return GOING_ON
    if callable(behavior):
        return await _ask_function(agent, context, results)
    stopping = _find_stopping(agent, results)
    if stopping is None:
        return GOING_ON
    return ToolsToFinalOutputResult(True, stopping.text if _answers_with_text(agent) else stopping.output)


async def _ask_function(
    agent: Agent[Any], context: RunContext[Any], results: Sequence[FunctionToolResult]
) -> ToolsToFinalOutputResult:
    made = cast(Any, agent.tool_use_behavior)(context, list(results))
    answer = await made if inspect.isawaitable(made) else made
    if not isinstance(answer, ToolsToFinalOutputResult):
        raise UserError(
            f"The tool_use_behavior of `{agent.name}` must return ToolsToFinalOutputResult, not {answer!r}."
        )
    return replace(answer, final_output=str(answer.final_output)) if _answers_with_text(agent) else answer


def _find_stopping(agent: Agent[Any], results: Sequence[FunctionToolResult]) -> FunctionToolResult | None:
    behavior = agent.tool_use_behavior
    if behavior == "stop_on_first_tool":
        return results[0]
    names = behavior["stop_at_tool_names"] if isinstance(behavior, dict) else []
    return next((result for result in results if result.tool.name in names), None)


def _answers_with_text(agent: Agent[Any]) -> bool:
    return output_schema_of(agent.output_type) is None
