"""Parks the run until others have answered: called agents and tools on queues, in runs of their own, and people."""

from __future__ import annotations

import time

from orchestrator.active_run import ActiveRun
from orchestrator.agent_tool import AgentTool
from orchestrator.answers import failed_output
from orchestrator.children import new_child
from orchestrator.engine import Performed
from orchestrator.entries import ContextPatch, Parked
from orchestrator.ledger.base import NewRun
from orchestrator.models.base import Item
from orchestrator.question import Question, describe_question
from orchestrator.settings import Settings
from orchestrator.tool import FunctionTool
from orchestrator.turn import AskOthers


async def ask_others(run: ActiveRun, move: AskOthers) -> Performed | None:
    """Start a child for each call, and ask people. `None`: no child could be started, and nobody is asked."""
    assert run.state.turn is not None
    known = run.state.turn.children
    new_calls = [(call, tool) for call, tool in move.calls if call["call_id"] not in known]
    if new_calls and not run.budget.may_begin(tool_calls=len(new_calls)):
        run.budget.refuse([call for call, _ in new_calls])
        return None
    for call, tool in new_calls:
        await run.hooks.tool_start(run.tool_context(call), tool)
    patch = run.binding.take_patch()
    made = [await _new_child(run, call, tool, patch) for call, tool in new_calls]
    children = [child for child in made if child is not None]
    waits = {child.parent[1]: child.run_id for child in children if child.parent}
    waits |= {call["call_id"]: known[call["call_id"]] for call, _ in move.calls if call["call_id"] in known}
    questions = [stamp_question(question, tool, run.engine.settings) for question, tool in move.questions]
    if not waits and not questions:
        return None
    parked = Parked(waits=waits, questions=questions, context=patch)
    names = [call["name"] for call, _ in move.calls if call["call_id"] in waits]
    what = ", ".join([*names, *map(describe_question, questions)])
    pointers = await run.recorder.park(parked, children=children, note=f"answers of {what}")
    return Performed("parked", f"waits for {what}", run.claim, pointers=pointers)


def stamp_question(question: Question, tool: FunctionTool | AgentTool, settings: Settings) -> Question:
    """A new question with its times; one that was asked before as it is."""
    if question.asked_at:
        return question
    now = time.time()
    expires_seconds = tool.approval_expires_seconds or settings.approval_expires_seconds
    expires_at = None if expires_seconds is None else now + expires_seconds
    return question.model_copy(update={"asked_at": now, "expires_at": expires_at})


async def _new_child(
    run: ActiveRun, call: Item, tool: FunctionTool | AgentTool, patch: ContextPatch | None
) -> NewRun | None:
    """The run that will answer the call; `None` where the call failed at once, its arguments being wrong, say."""
    context = None if run.state.context is None else {**run.state.context, **(patch or {})}
    try:
        return await new_child(
            run.claim,
            call,
            tool,
            caller=run.agent.name,
            context=context,
            options=run.state.options,
            origin=run.state.origin,
        )
    except Exception as error:
        tool_context = run.tool_context(call)
        output = await failed_output(error, call, tool, tool_context, keep_value=run.keeps_values)
        run.note_output(output, patch)
        await run.hooks.tool_end(tool_context, tool, output.output)
        return None
