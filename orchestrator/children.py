"""The runs that serve a parent's calls: called agents, and tools on other queues."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from orchestrator.agent_tool import AgentTool
from orchestrator.entries import EntryBase, RunInput, RunOptions, ToolCall
from orchestrator.ledger.base import Claim, NewRun
from orchestrator.models.base import Item
from orchestrator.run_ids import child_id, root_of, task_id
from orchestrator.tool import FunctionTool

NOTE_LENGTH = 120


async def new_child(
    claim: Claim,
    call: Item,
    tool: FunctionTool | AgentTool,
    *,
    caller: str,
    context: Any,
    options: RunOptions,
    origin: str | None = None,
) -> NewRun:
    """The child run for one call. Raises `ModelBehaviorError` for arguments that an agent's tool cannot take."""
    served = ToolCall(
        agent=caller, tool_name=call["name"], call_id=call["call_id"], arguments=call["arguments"], origin=origin
    )
    below = options.below()
    if isinstance(tool, AgentTool):
        items = await tool.build_input(call["arguments"])
        own = below.model_copy(update={"max_turns": tool.max_turns})
        entry = RunInput(agent=tool.agent.name, items=items, context=context, options=own, call=served)
        task, queue, priority = tool.agent.task_name, tool.agent.queue, tool.agent.priority
        priority = options.priority if priority is None else priority
        note = describe_input(items)
    else:
        entry = RunInput(agent=tool.name, items=[], context=context, options=below, call=served)
        task, queue, priority = f"tools.{tool.name}", tool.queue, options.priority
        note = clip(call["arguments"])
    return NewRun(
        run_id=child_id(claim.run_id, call["call_id"]),
        task=task,
        digest=digest_of(task, entry),
        entry=entry,
        queue=queue,
        priority=priority,
        note=note,
        continuation=child_continuation(claim),
        parent=(claim.run_id, call["call_id"]),
    )


def child_continuation(claim: Claim) -> Mapping[str, Any]:
    """The Celery headers of a child: nothing follows it in the canvas, but it belongs to its parent's tree."""
    root = claim.continuation.get("root_id") or root_of(claim.run_id)
    return {"root_id": root, "parent_id": task_id(claim.run_id, claim.step)}


def digest_of(task: str, entry: EntryBase) -> str:
    """What makes two submits of one run id the same submit."""
    # Without defaults: a field that a later version adds must not turn the runs of older processes into others.
    fields = entry.model_dump(mode="json", exclude_defaults=True)
    body = json.dumps(fields, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(f"{task}\n{body}".encode()).hexdigest()


def describe_input(items: list[Item]) -> str:
    """The last text that was put in, short enough for a table."""
    content = items[-1].get("content", "") if items else ""
    return clip(content if isinstance(content, str) else json.dumps(content, ensure_ascii=False))


def clip(text: str) -> str:
    """One short line."""
    line = " ".join(text.split())
    return line if len(line) <= NOTE_LENGTH else line[: NOTE_LENGTH - 1] + "…"
