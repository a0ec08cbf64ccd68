"""The agents and queued tools that this process has loaded, by name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from orchestrator.agent import Agent
from orchestrator.context_binding import neighbours
from orchestrator.errors import AgentNotLoaded, DuplicateName
from orchestrator.tool import FunctionTool


class Registry:
    """Agents and tools by name. Registering an agent registers all that it can reach."""

    def __init__(self) -> None:
        self.agents: dict[str, Agent[Any]] = {}
        self.tools: dict[str, FunctionTool] = {}

    def add(self, agents: Iterable[Agent[Any]]) -> list[Agent[Any]]:
        """Register agents and everything reachable from them; returns the new ones. Raises `DuplicateName`."""
        waiting, added = list(agents), []
        while waiting:
            agent = waiting.pop()
            known = self.agents.get(agent.name)
            if known is agent:
                continue
            if known is not None:
                raise DuplicateName(
                    f"Two different agents are called `{agent.name}`. Names tell agents apart in messages and in "
                    f"Flower: rename one, or pass the same object."
                )
            self.agents[agent.name] = agent
            added.append(agent)
            self._add_queued_tools(agent)
            waiting.extend(neighbours(agent))
        return added

    def _add_queued_tools(self, agent: Agent[Any]) -> None:
        for tool in agent.tools:
            if not isinstance(tool, FunctionTool) or tool.queue is None:
                continue
            if self.tools.setdefault(tool.name, tool) is not tool:
                raise DuplicateName(
                    f"Two different tools with a queue are called `{tool.name}`, one of them at agent `{agent.name}`. "
                    f"Such tools are Celery tasks of their own: rename one."
                )

    def agent(self, name: str) -> Agent[Any]:
        """The agent of that name. Raises `AgentNotLoaded`."""
        if name not in self.agents:
            raise AgentNotLoaded(f"No agent `{name}` is loaded here.{suggest(name, self.agents)}")
        return self.agents[name]

    def tool(self, name: str) -> FunctionTool:
        """The queued tool of that name. Raises `AgentNotLoaded`."""
        if name not in self.tools:
            raise AgentNotLoaded(f"No tool `{name}` with a queue is loaded here.{suggest(name, self.tools)}")
        return self.tools[name]


def suggest(name: str, known: Iterable[str]) -> str:
    """What to say about a name that is not known."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f" Did you mean `{close[0]}`?"
    return f" Loaded: {', '.join(f'`{known_name}`' for known_name in names)}." if names else " None is loaded."
