"""A graph as an SVG picture, laid out in rows: simple, and without any program outside of Python."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from orchestrator.graph.base import Edge, Graph, Shape
from orchestrator.graph.layers import arrange

CHARACTER_WIDTH, HEIGHT, GAP, ROW_GAP, MARGIN = 7.2, 34, 28, 64, 20
_FILLS = {
    "agent": "#e0f2f1",
    "tool": "#fff8e1",
    "function": "#eceff1",
    "task": "#e8eaf6",
    "flow": "#e1f5fe",
    "gate": "#fce4ec",
    "end": "#ffffff",
}
_DASHES = {"next": "", "handoff": "", "call": ' stroke-dasharray="4 3"'}
_WIDTHS = {"next": 1.2, "handoff": 2.4, "call": 1.2}


@dataclass(frozen=True)
class Box:
    """A shape's place on the picture, in pixels."""

    x: float
    y: float
    width: float

    @property
    def middle(self) -> float:
        return self.x + self.width / 2


def to_svg(graph: Graph) -> str:
    """The picture. Thick lines are handoffs, dashed ones calls that come back."""
    rows = arrange(graph)
    boxes = _place(graph, rows)
    width = max((box.x + box.width for box in boxes.values()), default=0) + MARGIN
    height = len(rows) * (HEIGHT + ROW_GAP) - ROW_GAP + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" font-family="sans-serif" font-size="12">',
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto-start-reverse"><path d="M0 0 8 4 0 8z" fill="#455a64"/></marker></defs>',
        *(_draw_edge(edge, boxes) for edge in graph.edges),
        *(_draw_shape(shape, boxes[shape.id]) for shape in graph.shapes.values()),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _place(graph: Graph, rows: list[list[str]]) -> dict[str, Box]:
    widths = {shape.id: max(48.0, len(shape.text) * CHARACTER_WIDTH + 24) for shape in graph.shapes.values()}
    row_widths = [sum(widths[id] for id in row) + GAP * (len(row) - 1) for row in rows]
    boxes: dict[str, Box] = {}
    for number, row in enumerate(rows):
        x = MARGIN + (max(row_widths) - row_widths[number]) / 2
        for id in row:
            boxes[id] = Box(x, MARGIN + number * (HEIGHT + ROW_GAP), widths[id])
            x += widths[id] + GAP
    return boxes


def _draw_shape(shape: Shape, box: Box) -> str:
    radius = {"agent": 4, "task": 0, "flow": 0}.get(shape.kind, HEIGHT / 2)
    border = 3 if shape.kind == "flow" else 1
    return (
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{HEIGHT}" rx="{radius:g}" '
        f'fill="{_FILLS[shape.kind]}" stroke="#455a64" stroke-width="{border}"/>'
        f'<text x="{box.middle:.1f}" y="{box.y + HEIGHT / 2 + 4:.1f}" text-anchor="middle">{escape(shape.text)}</text>'
    )


def _draw_edge(edge: Edge, boxes: dict[str, Box]) -> str:
    source, target = boxes[edge.source], boxes[edge.target]
    if target.y > source.y:
        x1, y1, x2, y2 = source.middle, source.y + HEIGHT, target.middle, target.y
        bend = (y2 - y1) / 2
        path = f"M{x1:.1f} {y1:.1f}C{x1:.1f} {y1 + bend:.1f} {x2:.1f} {y2 - bend:.1f} {x2:.1f} {y2:.1f}"
    else:  # back up, or to a neighbour: around the right side
        x1, y1 = source.x + source.width, source.y + HEIGHT / 2
        x2, y2 = target.x + target.width, target.y + HEIGHT / 2
        far = max(x1, x2) + 40
        path = f"M{x1:.1f} {y1:.1f}C{far:.1f} {y1:.1f} {far:.1f} {y2 + 8:.1f} {x2:.1f} {y2 + 8:.1f}"
        x1, x2 = far - 12, far - 12
    line = (
        f'<path d="{path}" fill="none" stroke="#455a64" stroke-width="{_WIDTHS[edge.kind]}"{_DASHES[edge.kind]} '
        'marker-end="url(#arrow)"/>'
    )
    if not edge.text:
        return line
    text = f'<text x="{(x1 + x2) / 2 + 4:.1f}" y="{(y1 + y2) / 2:.1f}" fill="#607d8b">{escape(edge.text)}</text>'
    return line + text
