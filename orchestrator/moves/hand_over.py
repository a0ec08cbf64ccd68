"""Makes another agent active: its task takes the next step."""

from __future__ import annotations

from orchestrator.active_run import ActiveRun
from orchestrator.engine import Performed
from orchestrator.handover import find_destination, handoff_entry
from orchestrator.turn import HandOver


async def hand_over(run: ActiveRun, move: HandOver) -> Performed:
    """Commit the handoff. Raises `AgentNotLoaded`, and what the handoff's own functions raise."""
    destination = await find_destination(move.handoff, run.agent.name, run.engine.registry, run.engine.ledger)
    await move.handoff.accept(run.tool_context(move.call), move.call["arguments"])
    await run.hooks.handoff(destination.agent)
    entry = await handoff_entry(move, run.state, run.context, run.binding.take_patch())
    note = f"handed over by {run.agent.name}"
    pointers = await run.recorder.hand_over(entry, task=destination.task, queue=destination.queue, note=note)
    return Performed("handed_over", f"handed off to {entry.target}", run.claim, pointers=pointers)
