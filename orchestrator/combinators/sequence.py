"""`sequence`: one step after another, each with what the one before it made, and gates that stop early."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from orchestrator.combinators.base import At, Done, Node, Progress, key_of
from orchestrator.combinators.checks import check_decisions, check_function
from orchestrator.combinators.prompts import to_prompt_name
from orchestrator.combinators.step import GATE, Decision, StepLike, to_node
from orchestrator.combinators.values import decide, name_of
from orchestrator.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Gate(Node):
    """Stops its sequence unless a function says to go on. Made by `gate()`."""

    kind: ClassVar[str] = GATE
    opens: Decision

    def children(self) -> Mapping[str, Node]:
        return {}

    def advance(self, at: At) -> Progress:
        return Done(at.value)

    def is_open(self, value: Any) -> bool:
        """Whether the sequence goes on with this value. Raises what the function raises."""
        return bool(decide(self.opens, value, f"Gate `{self.label}`"))


@dataclass(frozen=True, kw_only=True)
class Sequence(Node):
    """Steps and gates in order. Made by `sequence()`."""

    kind: ClassVar[str] = "sequence"
    steps: tuple[Node, ...]

    def children(self) -> Mapping[str, Node]:
        return {key_of(number, node): node for number, node in enumerate(self.steps, start=1)}

    def advance(self, at: At) -> Progress:
        value, named = at.value, dict[str, Any]()
        for key, node in self.children().items():
            if isinstance(node, Gate):
                if node.is_open(value):
                    continue
                at.choose(f"gate {node.label} closed")
                return Done(value)
            progress = node.advance(at.below(key, value, **named))
            if not isinstance(progress, Done):
                return progress
            value = named[to_prompt_name(node.label)] = progress.value
        return Done(value)

    def output_type(self) -> Any:
        has_gate = any(isinstance(node, Gate) for node in self.steps)
        return None if has_gate else self.steps[-1].output_type()

    def names_for(self, key: str) -> frozenset[str]:
        earlier = itertools.takewhile(lambda child: child[0] != key, self.children().items())
        return frozenset(to_prompt_name(node.label) for _, node in earlier if not isinstance(node, Gate))


def gate(opens: Decision, *, name: str | None = None) -> Gate:
    """A place in a sequence where it goes on only if `opens(value so far)` is true; else that value is its result."""
    check_function(opens, "A gate")
    return Gate(opens=opens, name=name or name_of(opens))


def sequence(*steps: StepLike, name: str = "", gate: Decision | None = None) -> Sequence:
    """Steps one after another: each receives what the one before it made, the first what the sequence receives.

    `gate` is asked between all steps; to ask in one place only, put `gate(function)` there. The first failure is the
    sequence's. Raises `UserError`.
    """
    nodes = [given if isinstance(given, Gate) else to_node(given) for given in steps]
    if not any(not isinstance(node, Gate) for node in nodes):
        raise UserError("A sequence needs a step.")
    check_decisions(gate=gate)
    if gate is not None:
        between = Gate(opens=gate, name=name_of(gate))
        nodes = [part for node in nodes for part in (node, between)][:-1]
    return Sequence(steps=tuple(nodes), name=name)
