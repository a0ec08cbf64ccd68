"""From an agent or a flow to its graph: all that it can reach."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from orchestrator.agent import Agent
from orchestrator.agent_tool import AgentTool
from orchestrator.combinators.base import Node
from orchestrator.combinators.each import Each
from orchestrator.combinators.parallel import Parallel
from orchestrator.combinators.refine import Refine
from orchestrator.combinators.route import Route
from orchestrator.combinators.sequence import Gate
from orchestrator.combinators.sequence import Sequence as Steps
from orchestrator.combinators.step import Step
from orchestrator.combinators.vote import Vote
from orchestrator.flow import Flow
from orchestrator.graph.base import Graph, ShapeKind
from orchestrator.handoff import to_handoff
from orchestrator.runnable import Runnable

Find = Callable[[str], Runnable | None]
Exit = tuple[str, str]
"""A shape that something leaves, and what the arrow says."""

INPUT, RESULT = "input", "result"


def build_graph(target: Runnable, find: Find) -> Graph:
    """The graph of an agent or a flow. `find` knows agents and flows by name."""
    builder = _Builder(find)
    if isinstance(target, Flow):
        builder.add_flow(target)
    else:
        builder.add_agent(target)
    return builder.graph


class _Builder:
    def __init__(self, find: Find) -> None:
        self.graph = Graph()
        self._find = find
        self._within: list[str] = []
        """The flows whose steps are being added."""

    # ---- agents -----------------------------------------------------------------------------

    def add_agent(self, agent: Any) -> str:
        """The agent's shape, with all that its model may decide."""
        id = f"agent:{agent.name}"
        if not self.graph.add_shape(id, agent.name, "agent") or not isinstance(agent, Agent):
            return id
        for target in map(to_handoff, agent.handoffs):
            self.graph.add_edge(id, self._reference(target.target), "", "handoff")
        for judge in agent.guardrail_agents():
            self.graph.add_edge(id, self._reference(judge), "guardrail", "call")
        for tool in agent.tools:
            if isinstance(tool, AgentTool):
                text = "" if tool.name == tool.agent.name else tool.name
                self.graph.add_edge(id, self._reference(tool.agent), text, "call")
            else:
                tool_id = f"tool:{tool.name}"
                self.graph.add_shape(tool_id, tool.name, "tool")
                self.graph.add_edge(id, tool_id, "", "call")
        return id

    def _reference(self, given: Runnable | str) -> str:
        target = (self._find(given) or given) if isinstance(given, str) else given
        if isinstance(target, str):
            self.graph.add_shape(f"agent:{target}", target, "agent")
            return f"agent:{target}"
        return self._add_called_flow(target) if isinstance(target, Flow) else self.add_agent(target)

    # ---- flows ------------------------------------------------------------------------------

    def add_flow(self, flow: Flow) -> None:
        """The flow from its input to its result."""
        self.graph.add_shape(INPUT, INPUT, "end")
        exits = self._add_inside(flow, "", [(INPUT, "")])
        self.graph.add_shape(RESULT, RESULT, "end")
        self._connect(exits, RESULT)

    def _add_called_flow(self, flow: Flow) -> str:
        """A flow that agents have as a tool: its shape, from which its steps lead to a result of its own."""
        id, result = f"flow:{flow.name}", f"flow:{flow.name}/{RESULT}"
        if self.graph.add_shape(id, flow.name, "flow"):
            exits = self._add_inside(flow, id, [(id, "")])
            self.graph.add_shape(result, RESULT, "end")
            self._connect(exits, result)
        return id

    def _add_inside(self, flow: Flow, place: str, entries: Sequence[Exit]) -> list[Exit]:
        """The flow's steps, once: a flow inside of itself is its shape alone."""
        if flow.name in self._within:
            return list(entries)
        self._within.append(flow.name)
        exits = self._add(flow.root, place, entries)
        self._within.pop()
        return exits

    def _add(self, node: Node, place: str, entries: Sequence[Exit]) -> list[Exit]:
        """The node's shapes below those that lead to it; returns what leads on."""
        match node:
            case Steps():
                return self._add_steps(node, place, entries)
            case Parallel():
                return self._add_branches(list(node.members), node.then, node, place, entries)
            case Vote():
                exits = self._add(node.voter, f"{place}/attempt", _labelled(entries, f"{node.count} times"))
                return self._add(node.judge, f"{place}/judge", exits)
            case Each():
                exits = list(entries) if node.source is None else self._add(node.source, f"{place}/source", entries)
                exits = self._add(node.item, f"{place}/item", _labelled(exits, "each item"))
                return exits if node.then is None else self._add(node.then, f"{place}/then", _labelled(exits, "all"))
            case Route():
                return self._add_route(node, place, entries)
            case Refine():
                return self._add_loop(node, place, entries)
        return self._add_single(node, place, entries)

    def _add_single(self, node: Node, place: str, entries: Sequence[Exit]) -> list[Exit]:
        kind, text = _look_of(node)
        id, found = f"place:{place}", None
        if kind == "agent" and isinstance(node, Step):
            found = self._find(node.work) if isinstance(node.work, str) else node.work
            kind = "flow" if isinstance(found, Flow) else "agent"
            if isinstance(found, Agent) and (found.handoffs or found.tools):
                id = self.add_agent(found)
        self.graph.add_shape(id, text, kind)
        self._connect(entries, id)
        exits = [(id, "")]
        return self._add_inside(found, f"{place}/{found.name}", exits) if isinstance(found, Flow) else exits

    def _add_steps(self, node: Steps, place: str, entries: Sequence[Exit]) -> list[Exit]:
        exits, stopped = list(entries), list[Exit]()
        for key, child in node.children().items():
            exits = self._add(child, f"{place}/{key}", exits)
            if isinstance(child, Gate):
                stopped += _labelled(exits, "no")
                exits = _labelled(exits, "yes")
        return exits + stopped

    def _add_branches(
        self, members: Sequence[Node], then: Node | None, node: Node, place: str, entries: Sequence[Exit]
    ) -> list[Exit]:
        keys = [key for key in node.children() if key != "then"]
        exits = [
            leaving
            for key, child in zip(keys, members, strict=True)
            for leaving in self._add(child, f"{place}/{key}", entries)
        ]
        return exits if then is None else self._add(then, f"{place}/then", exits)

    def _add_route(self, node: Route, place: str, entries: Sequence[Exit]) -> list[Exit]:
        verdict = self._add(node.classifier, f"{place}/classifier", entries)
        branches = {**node.branches, **({"otherwise": node.default} if node.default else {})}
        return [
            leaving
            for category, child in branches.items()
            for leaving in self._add(child, f"{place}/to.{category}", _labelled(verdict, category))
        ]

    def _add_loop(self, node: Refine, place: str, entries: Sequence[Exit]) -> list[Exit]:
        before = len(self.graph.edges)
        drafts = self._add(node.worker, f"{place}/draft", entries)
        ways_in = {edge.target for edge in self.graph.edges[before:] if (edge.source, edge.text) in set(entries)}
        verdicts = self._add(node.evaluator, f"{place}/verdict", drafts)
        for source, _ in verdicts:
            for target in sorted(ways_in):
                self.graph.add_edge(source, target, f"again, {node.max_rounds} rounds at most")
        return _labelled(verdicts, "passes")

    def _connect(self, entries: Sequence[Exit], target: str) -> None:
        for source, text in entries:
            self.graph.add_edge(source, target, text)


def _labelled(exits: Sequence[Exit], text: str) -> list[Exit]:
    return [(source, text) for source, _ in exits]


def _look_of(node: Node) -> tuple[ShapeKind, str]:
    if isinstance(node, Step):
        kinds: dict[str, ShapeKind] = {"run": "agent", "task": "task", "function": "function"}
        return kinds[node.work_kind], node.label
    return "gate", node.label
