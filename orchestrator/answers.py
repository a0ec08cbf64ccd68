"""What a child's end means to its caller: the output of the call that it served."""

from __future__ import annotations

from typing import Any

from orchestrator.agent_tool import AgentTool, extract_output
from orchestrator.context import ToolContext
from orchestrator.entries import ChildEnded, Outcome, Output
from orchestrator.errors import restore_error
from orchestrator.ledger.base import Ledger
from orchestrator.models.base import Item
from orchestrator.output_schema import output_schema_of
from orchestrator.registry import Registry
from orchestrator.result import RunResult, ToolInvocation
from orchestrator.state import fold
from orchestrator.tool import FunctionTool, ToolResult, describe_failure
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
    if outcome.kind != "answer":
        result = await _read_failure(ended, tool, context)
    elif isinstance(tool, AgentTool):
        text = await _read_text(ended, call, tool, context, ledger, registry)
        result = ToolResult(output=text, value=text, failed=False)
    else:
        result = ToolResult(**outcome.output)
    output = to_output(call, result, keep_value=keep_value)
    return output.model_copy(update={"usage": outcome.usage, "context": outcome.context})


async def _read_failure(ended: ChildEnded, tool: FunctionTool | AgentTool, context: ToolContext[Any]) -> ToolResult:
    error = restore_error(ended.outcome.error or {"type": "RunFailed", "message": "unknown"}, run_id=ended.child)
    if tool.failure_error_function is None:
        raise error
    text = await describe_failure(tool.failure_error_function, context, error)
    return ToolResult(output=text, value=text, failed=True)


async def _read_text(
    ended: ChildEnded, call: Item, tool: AgentTool, context: ToolContext[Any], ledger: Ledger, registry: Registry
) -> str:
    final_output = typed_output(ended.outcome, registry)
    if tool.custom_output_extractor is None:
        text = "" if final_output is None else str(final_output)
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


def typed_output(outcome: Outcome, registry: Registry) -> Any:
    """The answer as the type that the answering agent declares; as JSON where that agent is not loaded here."""
    agent = registry.agents.get(outcome.agent)
    schema = output_schema_of(agent.output_type) if agent else None
    if schema is None or schema.is_plain_text():
        return outcome.output
    return schema.load(outcome.output)
