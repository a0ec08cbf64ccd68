"""Puts a graph's shapes into rows: each below what leads to it, near the middle of that."""

from __future__ import annotations

import itertools

from orchestrator.graph.base import Graph


def arrange(graph: Graph) -> list[list[str]]:
    """Ids of shapes, row by row. An edge that leads back up, as in a loop, does not count."""
    forward = _forward_edges(graph)
    depth = dict.fromkeys(graph.shapes, 0)
    for _ in graph.shapes:  # the longest path has as many edges as there are shapes, at most
        for source, target in forward:
            depth[target] = max(depth[target], depth[source] + 1)
    rows: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for id in graph.shapes:
        rows[depth[id]].append(id)
    for above, row in itertools.pairwise(rows):
        row.sort(key=lambda id: _middle_of_parents(id, above, forward))
    return rows


def _forward_edges(graph: Graph) -> list[tuple[str, str]]:
    """The edges without those that close a circle, found by going down from every shape in order."""
    following: dict[str, list[str]] = {id: [] for id in graph.shapes}
    for edge in graph.edges:
        following[edge.source].append(edge.target)
    forward: list[tuple[str, str]] = []
    state: dict[str, str] = {}

    def go_down(id: str) -> None:
        state[id] = "open"
        for target in following[id]:
            if state.get(target) == "open":
                continue
            forward.append((id, target))
            if target not in state:
                go_down(target)
        state[id] = "done"

    for id in graph.shapes:
        if id not in state:
            go_down(id)
    return forward


def _middle_of_parents(id: str, above: list[str], forward: list[tuple[str, str]]) -> float:
    places = [above.index(source) for source, target in forward if target == id and source in above]
    return sum(places) / len(places) if places else len(above)
