"""`each`: one run for every item of a list, side by side, then, maybe, one step that gets all their results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from orchestrator.combinators.base import At, Done, Failed, Node, Progress, advance_branch
from orchestrator.combinators.checks import check_count, check_decisions
from orchestrator.combinators.parallel import THEN, FailurePolicy, check_policy, join
from orchestrator.combinators.step import Decision, StepLike, to_node
from orchestrator.combinators.values import decide, single_field, to_json

SOURCE, ITEM = "source", "item"
DEFAULT_MAX_ITEMS = 100


@dataclass(frozen=True, kw_only=True)
class Each(Node):
    """A list fans out. Made by `each()`."""

    kind: ClassVar[str] = "each"
    source: Node | None
    item: Node
    then: Node | None = None
    items: Decision | None = None
    max_items: int = DEFAULT_MAX_ITEMS
    on_failure: FailurePolicy = "fail"

    def children(self) -> Mapping[str, Node]:
        parts = {SOURCE: self.source, ITEM: self.item, THEN: self.then}
        return {key: node for key, node in parts.items() if node is not None}

    def advance(self, at: At) -> Progress:
        source = Done(at.value) if self.source is None else self.source.advance(at.below(SOURCE))
        if not isinstance(source, Done):
            return source
        items = self._items_of(source.value, at)
        if isinstance(items, Failed):
            return items
        branches = [
            advance_branch(self.item, at.below(f"{ITEM}[{number}]", item)) for number, item in enumerate(items, start=1)
        ]
        return join(branches, self.on_failure, self.then, at)

    def output_type(self) -> Any:
        return self.then.output_type() if self.then else None

    def _items_of(self, value: Any, at: At) -> list[Any] | Failed:
        items = single_field(_parsed(value)) if self.items is None else decide(self.items, value, "items=")
        if not isinstance(items, list | tuple):
            shown = json.dumps(to_json(value), ensure_ascii=False)[:80]
            return at.fail(f"`{self.label}` needs a list, but got {shown}. Say with items= where the list is.")
        if len(items) > self.max_items:
            return at.fail(f"`{self.label}` got {len(items)} items; max_items={self.max_items} allows no more.")
        return list(items)


def _parsed(value: Any) -> Any:
    """Text that is JSON, as an agent without output type writes a list, as the value that it stands for."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def each(
    source: StepLike | None,
    item: StepLike,
    *,
    then: StepLike | None = None,
    items: Decision | None = None,
    max_items: int = DEFAULT_MAX_ITEMS,
    on_failure: FailurePolicy = "fail",
    name: str = "",
) -> Each:
    """`item` runs once for every item of the list that `source` makes, side by side; `then` gets the list of results.

    `source=None`: the list is what the each receives. The list is the value itself, or the only field of a structured
    output; `items=` takes it from elsewhere. More than `max_items` fail the each before any has run. An empty list
    runs nothing: its result is `[]`, which `then` gets. `on_failure` as for `parallel`. Raises `UserError`.
    """
    check_count("max_items", max_items)
    check_policy(on_failure, max_items)
    check_decisions(items=items)
    return Each(
        source=None if source is None else to_node(source),
        item=to_node(item),
        then=None if then is None else to_node(then),
        items=items,
        max_items=max_items,
        on_failure=on_failure,
        name=name,
    )
