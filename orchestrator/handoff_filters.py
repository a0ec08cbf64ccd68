"""Input filters for handoffs that many agents need."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.handoff import HandoffInputData
from orchestrator.models.base import Item

_KEPT = frozenset({"message", "item_reference", "compaction"})
"""Item types that are neither calls, nor outputs of calls, nor the reasoning that led to them."""


def remove_all_tools(data: HandoffInputData) -> HandoffInputData:
    """Show the next agent what was said, and nothing of what was called: no tools, no handoffs, no reasoning."""
    return data.clone(
        input_history=_without_tools(data.input_history),
        pre_handoff_items=_without_tools(data.pre_handoff_items),
        new_items=_without_tools(data.new_items),
        input_items=None if data.input_items is None else _without_tools(data.input_items),
    )


def _without_tools(items: Iterable[Item]) -> tuple[Item, ...]:
    # A message that somebody submitted needs no type.
    return tuple(item for item in items if item.get("type", "message") in _KEPT)
