"""Making another agent active: where it lives, and what it will see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.agent import Agent
from orchestrator.context import RunContext
from orchestrator.entries import ContextPatch, HandedOff
from orchestrator.errors import AgentNotLoaded
from orchestrator.handoff import Handoff, HandoffInputData, transfer_message
from orchestrator.ledger.base import Ledger
from orchestrator.models.base import Item
from orchestrator.registry import Registry, suggest
from orchestrator.state import RunState, encode_view, function_call_output
from orchestrator.turn import IGNORED_HANDOFF, HandOver


@dataclass(frozen=True)
class Destination:
    """The next agent: the object where it is loaded here, else its name alone."""

    agent: Agent[Any] | str
    task: str
    queue: str | None


async def find_destination(handoff: Handoff, source: str, registry: Registry, ledger: Ledger) -> Destination:
    """Where the next agent lives. Raises `AgentNotLoaded` if no live worker has loaded it."""
    name = handoff.agent_name
    agent = registry.agents.get(name)
    if agent is not None:
        return Destination(agent, agent.task_name, agent.queue)
    records = {record.task: record for record in await ledger.loaded()}
    record = records.get(f"agents.{name}")
    if record is not None and record.is_live:
        return Destination(name, record.task, record.queue)
    if record is not None:
        remedy = (
            f"Worker {record.worker}, gone now, had it from module `{record.module}`: start a worker that loads "
            f"`{record.module}`."
        )
    else:
        remedy = (
            "Add the module that defines it to the modules of your app's install() or create_app() call, and restart "
            "the workers." + suggest(name, [task.removeprefix("agents.") for task in records] or registry.agents)
        )
    raise AgentNotLoaded(f"Agent `{source}` hands off to `{name}`, which no worker has loaded. {remedy}")


async def handoff_entry(
    move: HandOver, state: RunState, context: RunContext[Any], patch: ContextPatch | None
) -> HandedOff:
    """The entry of a handoff: the outputs of its calls, and what an input filter left of the conversation."""
    handoff = move.handoff
    outputs = [function_call_output(call["call_id"], IGNORED_HANDOFF) for call in move.ignored]
    outputs.append(function_call_output(move.call["call_id"], transfer_message(handoff.agent_name)))
    entry = HandedOff(source=state.agent, target=handoff.agent_name, outputs=outputs, context=patch)
    if handoff.input_filter is None:
        return entry
    view, history_size = await _filter(handoff, state, outputs, context)
    return entry.model_copy(update={"view": view, "history_size": history_size})


async def _filter(
    handoff: Handoff, state: RunState, outputs: Sequence[Item], context: RunContext[Any]
) -> tuple[list[list[int] | Item], int]:
    before = [*state.model_input(), *outputs]
    history, generated = tuple(state.history), tuple(state.generated)
    new = tuple(before[len(history) + len(generated) :])
    filtered = await handoff.filter(HandoffInputData(history, generated, new, context))
    shown = filtered.new_items if filtered.input_items is None else filtered.input_items
    given = filtered.input_history
    kept = [{"role": "user", "content": given}] if isinstance(given, str) else list(given)
    after = [*kept, *filtered.pre_handoff_items, *shown]
    return encode_view(before, after), len(kept)
