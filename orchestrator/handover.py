"""Making another agent active: where it lives, and what it will see."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.agent import Agent
from orchestrator.context import RunContext
from orchestrator.entries import ContextPatch, HandedOff
from orchestrator.errors import AgentNotLoaded
from orchestrator.handoff import Handoff, HandoffInputData, transfer_message
from orchestrator.ledger.base import AgentRecord, Ledger
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
    records = await ledger.loaded()
    record = next((record for record in records if record.task == f"agents.{name}"), None)
    if record is not None and record.is_live:
        return Destination(name, record.task, record.queue)
    raise not_loaded(f"Agent `{source}` hands off to `{name}`", name, records, known=registry.agents)


def not_loaded(story: str, name: str, records: Sequence[AgentRecord], *, known: Iterable[str] = ()) -> AgentNotLoaded:
    """The error for what no live worker has loaded, beginning with the story; it names the module if one had it."""
    loaded = {record.task: record for record in records}
    gone = loaded.get(f"agents.{name}")
    if gone is not None:
        remedy = f"Worker {gone.worker}, gone now, had it from module `{gone.module}`: start a worker that loads it."
    else:
        names = [task.partition(".")[2] for task in loaded if not task.startswith("tools.")]
        remedy = (
            "Add the module that defines it to the modules of your app's install() or create_app() call, and restart "
            "the workers." + suggest(name, names or known)
        )
    return AgentNotLoaded(f"{story}, which no worker has loaded. {remedy}")


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
    before = [*state.conversation(), *outputs]
    history, generated = tuple(state.history), tuple(state.generated)
    new = tuple(before[len(history) + len(generated) :])
    filtered = await handoff.filter(HandoffInputData(history, generated, new, context))
    shown = filtered.new_items if filtered.input_items is None else filtered.input_items
    given = filtered.input_history
    kept = [{"role": "user", "content": given}] if isinstance(given, str) else list(given)
    after = [*kept, *filtered.pre_handoff_items, *shown]
    return encode_view(before, after), len(kept)
