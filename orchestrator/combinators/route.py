"""`route`: a classifier's verdict picks who goes on."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from orchestrator.combinators.base import At, Done, Node, Progress
from orchestrator.combinators.checks import check_decisions
from orchestrator.combinators.step import Decision, StepLike, to_node
from orchestrator.combinators.values import decide, single_field
from orchestrator.errors import UserError

CLASSIFIER, DEFAULT = "classifier", "default"
SHOWN = 80
"""How much of a category people see."""


@dataclass(frozen=True, kw_only=True)
class Route(Node):
    """Branches by category. Made by `route()`."""

    kind: ClassVar[str] = "route"
    classifier: Node
    branches: Mapping[str, Node]
    key: Decision | None = None
    default: Node | None = None

    def children(self) -> Mapping[str, Node]:
        parts = {CLASSIFIER: self.classifier, **{_branch_key(name): node for name, node in self.branches.items()}}
        return {**parts, DEFAULT: self.default} if self.default else parts

    def advance(self, at: At) -> Progress:
        verdict = self.classifier.advance(at.below(CLASSIFIER))
        if not isinstance(verdict, Done):
            return verdict
        category = self._category_of(verdict.value)
        if category in self.branches:
            at.choose(f"took {category[:SHOWN]}")
            return self.branches[category].advance(at.below(_branch_key(category), verdict=verdict.value))
        if self.default is not None:
            at.choose(f"took the default for {category[:SHOWN]}")
            return self.default.advance(at.below(DEFAULT, verdict=verdict.value))
        known = ", ".join(f"`{name}`" for name in self.branches)
        return at.fail(f"`{self.label}` has no branch for `{category[:SHOWN]}`. It has {known}; give it a default=.")

    def output_type(self) -> Any:
        branches = [*self.branches.values(), *([self.default] if self.default else [])]
        first = branches[0].output_type()
        return first if all(branch.output_type() == first for branch in branches) else None

    def names_for(self, key: str) -> frozenset[str]:
        return frozenset() if key == CLASSIFIER else frozenset({"verdict"})

    def _category_of(self, verdict: Any) -> str:
        return _to_category(single_field(verdict) if self.key is None else decide(self.key, verdict, "key="))


def _to_category(given: Any) -> str:
    """A verdict, or a branch's name, as they are compared: an enum counts by its value."""
    return str(given.value if isinstance(given, enum.Enum) else given).strip()


def _branch_key(category: str) -> str:
    return "to." + category.replace("/", "_").replace("[", "_")


def route(
    classifier: StepLike,
    branches: Mapping[str, StepLike],
    *,
    key: Decision | None = None,
    default: StepLike | None = None,
    name: str = "",
) -> Route:
    """The branch that the classifier names goes on, with what the route received (`{verdict}` in its prompts).

    The category is the classifier's text, or the only field of its structured output; `key=` takes it from elsewhere.
    A category without a branch goes to `default`; without one the route fails. Raises `UserError`.
    """
    if not isinstance(branches, Mapping):
        raise UserError(f'A route\'s branches are a mapping, such as {{"refund": agent}}, not {repr(branches)[:80]}.')
    if not branches:
        raise UserError("A route needs a branch.")
    check_decisions(key=key)
    nodes = {_to_category(category): to_node(given) for category, given in branches.items()}
    if len({_branch_key(category) for category in nodes}) < len(branches):
        raise UserError("Two branches of a route are one, or differ only in `/`, `[` and `_`: give them other names.")
    other = None if default is None else to_node(default)
    return Route(classifier=to_node(classifier), branches=nodes, key=key, default=other, name=name)
