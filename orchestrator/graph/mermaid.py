"""A graph as Mermaid text, which GitHub, GitLab and many editors draw."""

from __future__ import annotations

from orchestrator.graph.base import EdgeKind, Graph, ShapeKind

_SHAPES: dict[ShapeKind, tuple[str, str]] = {
    "agent": ("[", "]"),
    "tool": ("([", "])"),
    "function": ("(", ")"),
    "task": ("[/", "/]"),
    "flow": ("[[", "]]"),
    "gate": ("{", "}"),
    "end": ("((", "))"),
}
_ARROWS: dict[EdgeKind, str] = {"next": "-->", "handoff": "==>", "call": "-.->"}


def to_mermaid(graph: Graph) -> str:
    """The graph's text. Solid arrows: code decides; thick: a handoff; dotted: a call that comes back."""
    ids = {shape.id: short for short, shape in graph.numbered()}
    lines = ["flowchart TD"]
    for short, shape in graph.numbered():
        before, after = _SHAPES[shape.kind]
        lines.append(f'    {short}{before}"{_escape(shape.text)}"{after}')
    for edge in graph.edges:
        text = f'|"{_escape(edge.text)}"|' if edge.text else ""
        lines.append(f"    {ids[edge.source]} {_ARROWS[edge.kind]}{text} {ids[edge.target]}")
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
