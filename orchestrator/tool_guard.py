"""Runs a function tool between its guardrails."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from orchestrator.agent import Agent
from orchestrator.context import ToolContext
from orchestrator.errors import (
    GuardrailTripwireTriggered,
    ToolInputGuardrailTripwireTriggered,
    ToolOutputGuardrailTripwireTriggered,
    UserError,
)
from orchestrator.guardrail import (
    ToolGuardrailFunctionOutput,
    ToolInputGuardrail,
    ToolInputGuardrailData,
    ToolOutputGuardrail,
    ToolOutputGuardrailData,
)
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
    return await _first_rejection(
        tool,
        tool.tool_input_guardrails,
        ToolInputGuardrailData(context, agent),
        refusal=f"does not let tool `{tool.name}` run",
        error=ToolInputGuardrailTripwireTriggered,
    )


async def _check_output(
    tool: FunctionTool, context: ToolContext[Any], agent: Agent[Any] | None, result: ToolResult
) -> ToolResult:
    rejected = await _first_rejection(
        tool,
        tool.tool_output_guardrails,
        ToolOutputGuardrailData(context, agent, result.value),
        refusal=f"does not let the output of tool `{tool.name}` pass",
        error=ToolOutputGuardrailTripwireTriggered,
    )
    return rejected or result


async def _first_rejection(
    tool: FunctionTool,
    guardrails: Sequence[ToolInputGuardrail | ToolOutputGuardrail],
    data: Any,
    *,
    refusal: str,
    error: type[GuardrailTripwireTriggered],
) -> ToolResult | None:
    """Asks one guardrail after the other. Raises `error` for one that trips."""
    for guardrail in guardrails:
        name = guardrail.get_name()
        made = guardrail.guardrail_function(data)
        verdict = _to_verdict(name, await made if inspect.isawaitable(made) else made)
        if verdict.behavior == "raise_exception":
            raise error(
                f"Guardrail `{name}` {refusal}.",
                run_id=data.context.run_id,
                guardrail=name,
                tool_name=tool.name,
                output_info=verdict.output_info,
            )
        if verdict.behavior == "reject_content":
            return ToolResult(verdict.message, verdict.message, failed=True)
    return None


def _to_verdict(name: str, verdict: Any) -> ToolGuardrailFunctionOutput:
    if not isinstance(verdict, ToolGuardrailFunctionOutput):
        raise UserError(f"Guardrail `{name}` must return a ToolGuardrailFunctionOutput, not {verdict!r}.")
    return verdict
