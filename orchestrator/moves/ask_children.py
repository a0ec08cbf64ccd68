"""Parks the run until the agents that it calls, and the tools on other queues, have answered in runs of their own."""

from __future__ import annotations

from orchestrator.active_run import ActiveRun
from orchestrator.agent_tool import AgentTool
from orchestrator.answers import failed_output
from orchestrator.children import new_child
from orchestrator.engine import Performed
from orchestrator.entries import ContextPatch, Parked
from orchestrator.ledger.base import NewRun
from orchestrator.models.base import Item
from orchestrator.tool import FunctionTool
from orchestrator.turn import AskChildren


async def ask_children(run: ActiveRun, move: AskChildren) -> Performed | None:
    """Start a child for each call. `None`: none could be started, and all calls have failed."""
    calls = [call for call, _ in move.calls]
    if not run.budget.may_begin(tool_calls=len(calls)):
        run.budget.refuse(calls)
        return None
    for call, tool in move.calls:
        await run.hooks.tool_start(run.tool_context(call), tool)
    patch = run.binding.take_patch()
    made = [await _new_child(run, call, tool, patch) for call, tool in move.calls]
    children = [child for child in made if child is not None]
    if not children:
        return None
    waits = {child.parent[1]: child.run_id for child in children if child.parent}
    names = ", ".join(call["name"] for call, _ in move.calls if call["call_id"] in waits)
    parked = Parked(waits=waits, context=patch)
    pointers = await run.recorder.park(parked, children=children, note=f"answers of {names}")
    return Performed("parked", f"waits for {names}", run.claim, pointers=pointers)


async def _new_child(
    run: ActiveRun, call: Item, tool: FunctionTool | AgentTool, patch: ContextPatch | None
) -> NewRun | None:
    """The run that will answer the call; `None` where the call failed at once, its arguments being wrong, say."""
    context = None if run.state.context is None else {**run.state.context, **(patch or {})}
    try:
        return await new_child(run.claim, call, tool, caller=run.agent.name, context=context, options=run.state.options)
    except Exception as error:
        tool_context = run.tool_context(call)
        output = await failed_output(error, call, tool, tool_context, keep_value=run.keeps_values)
        run.note_output(output, patch)
        await run.hooks.tool_end(tool_context, tool, output.output)
        return None
