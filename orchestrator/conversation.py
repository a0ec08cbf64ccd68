"""What of a conversation a model is sent: no call that was never answered, and nothing twice."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.models.base import Item


def to_model_input(given: Sequence[Item], generated: Sequence[Item]) -> list[Item]:
    """The items of the next request. What the caller gave stays, even a call without output."""
    return _keep_latest([*given, *drop_unanswered(generated)])


def drop_unanswered(items: Sequence[Item]) -> list[Item]:
    """Without calls that an input filter parted from their outputs, and the reasoning right before them."""
    answered = {item.get("call_id") for item in items if item.get("type") == "function_call_output"}
    kept: list[Item] = []
    led_to_dropped = False
    for item in reversed(items):
        kind = item.get("type")
        # The API takes no reasoning without the item that it led to.
        is_dropped = kind == "function_call" and item.get("call_id") not in answered
        led_to_dropped = is_dropped or (led_to_dropped and kind == "reasoning")
        if not led_to_dropped:
            kept.append(item)
    return kept[::-1]


def _keep_latest(items: Sequence[Item]) -> list[Item]:
    """Of items with one identity the last. Calls and reasoning stay where they were first, before what they led to."""
    latest: dict[tuple[str, str], Item] = {}
    places: dict[tuple[str, str], int] = {}
    identities = [_identity(item) for item in items]
    for index, (identity, item) in enumerate(zip(identities, items, strict=True)):
        if identity is not None:
            latest[identity] = item
            if identity not in places or not _leads_on(item):
                places[identity] = index
    return [
        item if identity is None else latest[identity]
        for index, (identity, item) in enumerate(zip(identities, items, strict=True))
        if identity is None or places[identity] == index
    ]


def _leads_on(item: Item) -> bool:
    kind = str(item.get("type"))
    return kind == "reasoning" or ("call_id" in item and not kind.endswith("_output"))


def _identity(item: Item) -> tuple[str, str] | None:
    """What makes two items the same: a call's id, else an item's. Messages may repeat themselves."""
    kind = str(item.get("type", "message"))
    name = item.get("call_id") or item.get("id")
    return None if kind == "message" or "role" in item or not isinstance(name, str) else (kind, name)
