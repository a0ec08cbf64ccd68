"""Runs a function tool between its guardrails."""

from __future__ import annotations

import inspect
from typing import Any

from orchestrator.agent import Agent
from orchestrator.context import ToolContext
from orchestrator.errors import ToolInputGuardrailTripwireTriggered, ToolOutputGuardrailTripwireTriggered, UserError
from orchestrator.guardrail import ToolGuardrailFunctionOutput, ToolInputGuardrailData, ToolOutputGuardrailData
from orchestrator.hooks import HookCaller
from orchestrator.tool import FunctionTool, ToolResult, call_tool


async def call_guarded_tool(
    tool: FunctionTool, context: ToolContext[Any], agent: Agent[Any] | None, hooks: HookCaller | None = None
) -> ToolResult:
    """What the model gets of a call. The first rejection counts; a rejected call does not run, and calls no hooks.

    Raises what `call_tool` raises, and a `Tool…GuardrailTripwireTriggered`.
    """
    rejected = await _check_input(tool, context, agent)
    if rejected is not None:
        return rejected
    if hooks is not None:
        await hooks.tool_start(context, tool)
    result = await call_tool(tool, context, context.arguments)
    result = await _check_output(tool, context, agent, result)
    if hooks is not None:
        await hooks.tool_end(context, tool, result.value)
    return result


async def _check_input(tool: FunctionTool, context: ToolContext[Any], agent: Agent[Any] | None) -> ToolResult | None:
    for guardrail in tool.tool_input_guardrails:
        made = guardrail.guardrail_function(ToolInputGuardrailData(context, agent))
        verdict = _to_verdict(guardrail.get_name(), await made if inspect.isawaitable(made) else made)
        if verdict.behavior == "raise_exception":
            raise ToolInputGuardrailTripwireTriggered(
                f"Guardrail `{guardrail.get_name()}` does not let tool `{tool.name}` run.",
                run_id=context.run_id,
                guardrail=guardrail.get_name(),
                tool_name=tool.name,
                output_info=verdict.output_info,
            )
        if verdict.behavior == "reject_content":
            return ToolResult(verdict.message, verdict.message, failed=True)
    return None


async def _check_output(
    tool: FunctionTool, context: ToolContext[Any], agent: Agent[Any] | None, result: ToolResult
) -> ToolResult:
    for guardrail in tool.tool_output_guardrails:
        made = guardrail.guardrail_function(ToolOutputGuardrailData(context, agent, result.value))
        verdict = _to_verdict(guardrail.get_name(), await made if inspect.isawaitable(made) else made)
        if verdict.behavior == "raise_exception":
            raise ToolOutputGuardrailTripwireTriggered(
                f"Guardrail `{guardrail.get_name()}` does not let the output of tool `{tool.name}` pass.",
                run_id=context.run_id,
                guardrail=guardrail.get_name(),
                tool_name=tool.name,
                output_info=verdict.output_info,
            )
        if verdict.behavior == "reject_content":
            return ToolResult(verdict.message, verdict.message, failed=True)
    return result


def _to_verdict(name: str, verdict: Any) -> ToolGuardrailFunctionOutput:
    if not isinstance(verdict, ToolGuardrailFunctionOutput):
        raise UserError(f"Guardrail `{name}` must return a ToolGuardrailFunctionOutput, not {verdict!r}.")
    return verdict
