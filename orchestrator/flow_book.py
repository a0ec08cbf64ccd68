"""What a flow's members have answered, by place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.answers import typed_output
from orchestrator.combinators.base import Done, Ended, Failed, Node, find_node
from orchestrator.combinators.values import load_if_it_fits
from orchestrator.entries import ChildEnded, Outcome, Output
from orchestrator.registry import Registry

Answer = ChildEnded | Output


class FlowBook(Mapping[str, Ended]):
    """Answers, each made a typed value when it is first looked at: most of a long loop's are not looked at again."""

    def __init__(self, root: Node, registry: Registry) -> None:
        self._root = root
        self._registry = registry
        self._answers: dict[str, Answer] = {}
        self._read: dict[str, Ended] = {}

    def add(self, answer: Answer) -> None:
        """Take a member's answer in."""
        self._answers[answer.call_id] = answer
        self._read.pop(answer.call_id, None)

    def __getitem__(self, place: str) -> Ended:
        if place not in self._read:
            self._read[place] = self._load(place, self._answers[place])
        return self._read[place]

    def __contains__(self, place: object) -> bool:
        return place in self._answers

    def __iter__(self) -> Iterator[str]:
        return iter(self._answers)

    def __len__(self) -> int:
        return len(self._answers)

    def _load(self, place: str, answer: Answer) -> Ended:
        match answer:
            case ChildEnded(outcome=outcome):
                return self._load_outcome(place, outcome)
            case Output(failed=True):
                return Failed(answer.value, place)
            case Output():
                return Done(self._typed(place, answer.value))

    def _load_outcome(self, place: str, outcome: Outcome) -> Ended:
        if outcome.kind != "answer":
            return Failed(outcome.error or {"type": "RunFailed", "message": "unknown"}, place)
        if outcome.agent in self._registry.agents:
            return Done(typed_output(outcome, self._registry))
        return Done(self._typed(place, outcome.output))

    def _typed(self, place: str, value: Any) -> Any:
        return load_if_it_fits(find_node(self._root, place).output_type(), value)
