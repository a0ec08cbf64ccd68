"""What a picture shows: shapes and edges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

ShapeKind = Literal["agent", "tool", "function", "task", "flow", "gate", "end"]
EdgeKind = Literal["next", "handoff", "call"]


@dataclass(frozen=True)
class Shape:
    """A box, say."""

    id: str
    text: str
    kind: ShapeKind


@dataclass(frozen=True)
class Edge:
    """An arrow. `next` is what code decides; `handoff` and `call` are what a model may decide."""

    source: str
    target: str
    text: str = ""
    kind: EdgeKind = "next"


@dataclass
class Graph:
    """Shapes in the order in which they were met, and edges."""

    shapes: dict[str, Shape] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)

    def add_shape(self, id: str, text: str, kind: ShapeKind) -> bool:
        """Whether it is new."""
        is_new = id not in self.shapes
        self.shapes.setdefault(id, Shape(id, text, kind))
        return is_new

    def add_edge(self, source: str, target: str, text: str = "", kind: EdgeKind = "next") -> None:
        """Once, however often it is met."""
        edge = Edge(source, target, text, kind)
        if edge not in self.edges:
            self.edges.append(edge)

    def numbered(self) -> Iterator[tuple[str, Shape]]:
        """The shapes with short ids that every format takes."""
        return ((f"n{number}", shape) for number, shape in enumerate(self.shapes.values(), start=1))
