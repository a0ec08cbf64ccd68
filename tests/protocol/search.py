"""The search through all states of a model, breadth first, and what it may find.

First safety: no move violates a rule. Then liveness (L): from every reachable state, without another fault, all
runs can end and R's outcome be delivered; and no sequence of moves without a fault is endless. Together: once
faults stop, every schedule ends with every run ended. No fairness is assumed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.protocol.state import Violation

HOLDS = "holds"
NEVER_ENDS = "L  a run can never end"
IN_CIRCLES = "L  a run can go in circles for ever"


State = Any
"""Whatever a model's states are: hashable."""


class Model(Protocol):
    """A transition system."""

    def initial(self) -> State:
        """Where it begins."""

    def moves(self, state: State) -> Iterator[tuple[str, bool, State]]:
        """What can happen: its label, whether it is fair, and the state that follows."""

    def check(self, state: State) -> None:
        """Raises `Violation` for a state that must not be."""

    def is_finished(self, state: State) -> bool:
        """Whether all that was to be done is done."""


@dataclass(frozen=True)
class Verdict:
    """What the search has found."""

    states: int
    text: str
    trace: list[str]
    """How it comes to that, if something is wrong."""


@dataclass
class Graph:
    """The states found so far, numbered in the order of their discovery."""

    order: list[State] = field(default_factory=list)
    ids: dict[State, int] = field(default_factory=dict)
    parents: list[tuple[int, str] | None] = field(default_factory=list)
    """From where, and by which move, each state was found first."""
    before: list[list[int]] = field(default_factory=list)
    """The states from which a fair move leads to each state."""
    finished: list[int] = field(default_factory=list)

    def add(self, state: State, parent: tuple[int, str] | None) -> int:
        """The state's number."""
        number = self.ids.setdefault(state, len(self.order))
        if number == len(self.order):
            self.order.append(state)
            self.parents.append(parent)
            self.before.append([])
        return number

    def trace(self, number: int) -> list[str]:
        """The moves that lead to a state, and the state."""
        last, lines = self.order[number], []
        while parent := self.parents[number]:
            number, label = parent
            lines.append(label)
        return [*reversed(lines), str(last)]


def explore(model: Model) -> Verdict:
    """Search all states that the model can reach."""
    graph = Graph()
    graph.add(model.initial(), None)
    number = 0
    while number < len(graph.order):
        try:
            _expand(model, graph, number)
        except Violation as violation:
            return Verdict(len(graph.order), str(violation), graph.trace(number))
        number += 1
    return _find_dead_end(graph) or _find_circle(model, graph) or Verdict(len(graph.order), HOLDS, [])


def _expand(model: Model, graph: Graph, number: int) -> None:
    state = graph.order[number]
    if model.is_finished(state):
        graph.finished.append(number)
    for label, is_fair, following in model.moves(state):
        if following not in graph.ids:
            model.check(following)
        found = graph.add(following, (number, label))
        if is_fair:
            graph.before[found].append(number)


def _find_dead_end(graph: Graph) -> Verdict | None:
    good, pending = set(graph.finished), list(graph.finished)
    while pending:
        more = [number for number in graph.before[pending.pop()] if number not in good]
        good.update(more)
        pending += more
    if len(good) == len(graph.order):
        return None
    first = min(set(range(len(graph.order))) - good)
    return Verdict(len(graph.order), NEVER_ENDS, graph.trace(first))


def _find_circle(model: Model, graph: Graph) -> Verdict | None:
    # States are settled once all their fair moves lead to settled ones; those that remain are on or before a circle.
    moves_left = [0] * len(graph.order)
    for sources in graph.before:
        for number in sources:
            moves_left[number] += 1
    settled = [number for number, count in enumerate(moves_left) if not count]
    while settled:
        for number in graph.before[settled.pop()]:
            moves_left[number] -= 1
            if not moves_left[number]:
                settled.append(number)
    circling = next((number for number, count in enumerate(moves_left) if count), None)
    if circling is None:
        return None
    return Verdict(len(graph.order), IN_CIRCLES, _walk_circle(model, graph, circling, moves_left))


def _walk_circle(model: Model, graph: Graph, number: int, moves_left: list[int]) -> list[str]:
    walk: list[int] = []
    labels: list[str] = []
    while number not in walk:
        walk.append(number)
        label, number = next(
            (label, graph.ids[following])
            for label, is_fair, following in model.moves(graph.order[number])
            if is_fair and moves_left[graph.ids[following]]
        )
        labels.append(label)
    start = walk.index(number)
    return [*graph.trace(walk[0])[:-1], *labels[:start], "-- again and again:", *labels[start:]]
