"""The interface of a combinator: what it has come to, given what its members have answered. Pure."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

from orchestrator.choice import Choice, Choices
from orchestrator.errors import FlowError, UserError, describe_error

FLOW_INPUT = "flow_input"
"""The name of the flow's input in prompts, whatever a step is called."""


@dataclass(frozen=True)
class Done:
    """There is a result."""

    value: Any


@dataclass(frozen=True)
class Failed:
    """There will be no result."""

    error: Mapping[str, Any]
    """`errors.describe_error` of what went wrong."""
    place: str
    """Where in the flow."""


@dataclass(frozen=True)
class Pending:
    """These members have to answer first."""

    members: tuple[Member, ...]
    max_failures: int | None = None
    """So many of them may fail; at the next one it is decided, and the others need not end. None: any number."""


Ended = Done | Failed
Progress = Done | Failed | Pending


@dataclass(frozen=True)
class At:
    """A node's place in a running flow, with what it receives and what is known so far."""

    place: str
    """Segments of keys, such as `2.parallel/1.french`; empty at the top."""
    value: Any
    """What the node receives."""
    flow_input: Any
    """What the flow was given; `None` where no prompt uses it."""
    named: Mapping[str, Any] = field(default_factory=dict)
    """Results that prompts may use: those of earlier steps, by name."""
    book: Mapping[str, Ended] = field(default_factory=dict)
    """What members have answered, by place."""
    choices: Choices = field(default_factory=Choices)
    """What was decided on the way; combinators add to it, and never look."""

    def for_run(self, node: Node) -> At:
        """The same with no more than the node's prompts use: what a run of its own is to keep."""
        borrowed = node.borrowed_names
        return replace(
            self,
            flow_input=self.flow_input if FLOW_INPUT in borrowed else None,
            named={name: value for name, value in self.named.items() if name in borrowed},
        )

    def below(self, key: str, value: Any = ..., **named: Any) -> At:
        """The place of a child, which receives the same value unless another is given."""
        return replace(
            self,
            place=f"{self.place}/{key}" if self.place else key,
            value=self.value if value is ... else value,
            named={**self.named, **named},
        )

    def choose(self, text: str) -> None:
        """Tell those who watch what the node has decided. The same place and answers must give the same words."""
        self.choices.add(Choice(place=self.place, text=text))

    def fail(self, message: str) -> Failed:
        """The node fails by its own rules."""
        return Failed(describe_error(FlowError(message)), self.place)


@dataclass(frozen=True)
class Member:
    """What has to be done next: a step, or a combinator that goes on by itself beside others."""

    node: Node
    at: At


@dataclass(frozen=True, kw_only=True)
class Node(ABC):
    """A part of a flow. Plain data: the same parts and the same answers give the same progress."""

    kind: ClassVar[str]
    name: str = ""
    """What prompts, screens and pictures call it."""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise UserError(f"The name of a {self.kind} is text, not {self.name!r}.")

    @property
    def label(self) -> str:
        """Its name, or what it is."""
        return self.name or self.kind

    @abstractmethod
    def children(self) -> Mapping[str, Node]:
        """The parts by their keys, which are the segments of their places."""

    @abstractmethod
    def advance(self, at: At) -> Progress:
        """What the node has come to."""

    def output_type(self) -> Any:
        """The type of the result where it is known beforehand: an agent's `output_type`. `None`: any JSON value."""
        return None

    def names_for(self, key: str) -> frozenset[str]:
        """The names that the node adds to what the prompts of this child may use."""
        return frozenset()

    @cached_property
    def borrowed_names(self) -> frozenset[str]:
        """What prompts here and below use of what is known only outside."""
        return frozenset(
            name
            for key, child in self.children().items()
            for name in child.borrowed_names
            if name == FLOW_INPUT or name not in self.names_for(key)
        )


def advance_branch(node: Node, at: At) -> Progress:
    """A child that goes on beside others. A combinator does so in a run of its own, not to wait for its siblings."""
    if not node.children():
        return node.advance(at)
    return at.book.get(at.place) or Pending((Member(node, at),))


def find_node(root: Node, place: str) -> Node:
    """The node at a place. Raises `FlowError` if there is none."""
    node = root
    for segment in place.split("/") if place else ():
        children = node.children()
        key = segment.partition("[")[0]
        if key not in children:
            raise FlowError(
                f"The flow has no place `{place}`: it was changed while a run was under way. Submit that run again."
            )
        node = children[key]
    return node


def key_of(number: int, node: Node) -> str:
    """The key of the n-th of several children."""
    return f"{number}.{re.sub(r'[/[]', '_', node.label)}"
