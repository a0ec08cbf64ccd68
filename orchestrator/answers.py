"""What a child's end means to its caller: the output of the call that it served."""

from __future__ import annotations

import json
from typing import Any

from orchestrator.agent_tool import AgentTool, extract_output
from orchestrator.combinators.values import load_if_it_fits
from orchestrator.context import ToolContext
from orchestrator.entries import ChildEnded, Outcome, Output
from orchestrator.errors import GuardrailTripwireTriggered, LedgerError, ModelBehaviorError, restore_error
from orchestrator.ledger.base import Ledger
from orchestrator.models.base import Item
from orchestrator.output_schema import output_schema_of
from orchestrator.registry import Registry
from orchestrator.result import RunResult, ToolInvocation
from orchestrator.state import fold
from orchestrator.tool import FunctionTool, ToolResult
from orchestrator.tool_call import fail_call
from orchestrator.tool_runner import to_output


async def read_answer(
    ended: ChildEnded,
    call: Item,
    tool: FunctionTool | AgentTool,
    context: ToolContext[Any],
    *,
    ledger: Ledger,
    registry: Registry,
    keep_value: bool,
) -> Output:
    """The call's output. Raises the child's error where the tool has no failure function."""
    outcome = ended.outcome
    try:
        if outcome.kind != "answer":
            raise restore_error(outcome.error or {"type": "RunFailed", "message": "unknown"}, run_id=ended.child)
        if isinstance(tool, AgentTool):
            text = await _read_text(ended, call, tool, context, ledger, registry)
            output = to_output(call, ToolResult(text, text), keep_value=keep_value)
        else:
            output = to_output(call, ToolResult(**outcome.output), keep_value=keep_value)
    except LedgerError:
        raise
    except GuardrailTripwireTriggered as error:
        if isinstance(tool, FunctionTool):
            raise  # the tool's own guardrail, which ends the run; a called agent's is a failure of the call
        output = await failed_output(error, call, tool, context, keep_value=keep_value)
    except Exception as error:
        output = await failed_output(error, call, tool, context, keep_value=keep_value)
    return output.model_copy(update={"usage": outcome.usage, "context": outcome.context})


async def failed_output(
    error: Exception, call: Item, tool: FunctionTool | AgentTool, context: ToolContext[Any], *, keep_value: bool
) -> Output:
    """What the model is told of a call that failed. Raises where the tool has no failure function."""
    return to_output(call, await fail_call(tool, context, error), keep_value=keep_value)


async def _read_text(
    ended: ChildEnded, call: Item, tool: AgentTool, context: ToolContext[Any], ledger: Ledger, registry: Registry
) -> str:
    final_output = typed_output(ended.outcome, registry)
    if tool.custom_output_extractor is None:
        text = "" if final_output is None else _text_of(final_output, ended.outcome, registry)
        return text or ended.outcome.fallback or ""
    state = fold([entry for _, entry in await ledger.entries(ended.child)])
    result = RunResult(
        run_id=ended.child,
        final_output=final_output,
        input=state.history,
        new_items=state.new_items(),
        last_agent=ended.outcome.agent,
        usage=ended.outcome.usage,
        context=context.context,
        agent_tool_invocation=ToolInvocation(call["name"], call["call_id"], call["arguments"]),
    )
    return await extract_output(tool, result)


def _text_of(final_output: Any, outcome: Outcome, registry: Registry) -> str:
    """An agent's output as the Agents SDK shows it; a flow's, which is often a list, as JSON."""
    if outcome.agent in registry.flows and not isinstance(final_output, str):
        return json.dumps(outcome.output, ensure_ascii=False)
    return str(final_output)


def typed_output(outcome: Outcome, registry: Registry) -> Any:
    """The answer as the type that the answering agent or flow declares.

    It stays JSON where that is not loaded here, and where it does not fit: a tool's output that ends the
    run is not validated.
    """
    if flow := registry.flows.get(outcome.agent):
        return load_if_it_fits(flow.output_type, outcome.output)
    agent = registry.agents.get(outcome.agent)
    schema = output_schema_of(agent.output_type) if agent else None
    if schema is None:
        return outcome.output
    try:
        return schema.load(outcome.output)
    except ModelBehaviorError:
        return outcome.output
