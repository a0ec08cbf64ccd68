"""The agents, flows and queued tools that this process has loaded, by name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from orchestrator.agent import Agent
from orchestrator.errors import AgentNotLoaded, DuplicateName
from orchestrator.flow import Flow
from orchestrator.runnable import Runnable
from orchestrator.tool import FunctionTool


class Registry:
    """Agents, flows and tools by name. Registering one registers all that it can reach."""

    def __init__(self) -> None:
        self.agents: dict[str, Agent[Any]] = {}
        self.flows: dict[str, Flow] = {}
        self.tools: dict[str, FunctionTool] = {}

    def add(self, runnables: Iterable[Runnable]) -> list[Runnable]:
        """Register agents and flows, and everything reachable from them; returns the new ones.

        Raises `DuplicateName`.
        """
        waiting, added = list(runnables), []
        while waiting:
            found = waiting.pop()
            known = self.find(found.name)
            if known is found:
                continue
            if known is not None:
                raise _duplicate(found, known)
            if isinstance(found, Flow):
                self.flows[found.name] = found
            elif isinstance(found, Agent):
                self.agents[found.name] = found
                self._add_queued_tools(found)
            added.append(found)
            waiting.extend(found.neighbours())
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

    def runnables(self) -> list[Agent[Any] | Flow]:
        """All agents and flows."""
        return [*self.agents.values(), *self.flows.values()]

    def find(self, name: str) -> Agent[Any] | Flow | None:
        """The agent or flow of that name, if it is loaded here."""
        return self.agents.get(name) or self.flows.get(name)

    def has_task(self, task: str) -> bool:
        """Whether the Celery task of that name is one of what is loaded here."""
        kind, _, name = task.partition(".")
        return name in (self.tools if kind == "tools" else self.flows if kind == "flows" else self.agents)

    def agent(self, name: str) -> Agent[Any]:
        """The agent of that name. Raises `AgentNotLoaded`."""
        if name not in self.agents:
            raise AgentNotLoaded(f"No agent `{name}` is loaded here.{suggest(name, self.agents)}")
        return self.agents[name]

    def flow(self, name: str) -> Flow:
        """The flow of that name. Raises `AgentNotLoaded`."""
        if name not in self.flows:
            raise AgentNotLoaded(f"No flow `{name}` is loaded here.{suggest(name, self.flows)}")
        return self.flows[name]

    def tool(self, name: str) -> FunctionTool:
        """The queued tool of that name. Raises `AgentNotLoaded`."""
        if name not in self.tools:
            raise AgentNotLoaded(f"No tool `{name}` with a queue is loaded here.{suggest(name, self.tools)}")
        return self.tools[name]


def _duplicate(found: Runnable, known: Runnable) -> DuplicateName:
    if type(found) is type(known):
        what = f"Two different {type(found).__name__.lower()}s are called `{found.name}`."
    else:
        what = f"An agent and a flow are both called `{found.name}`."
    return DuplicateName(
        f"{what} Names tell them apart in messages and in Flower: rename one, or pass the same object."
    )


def suggest(name: str, known: Iterable[str]) -> str:
    """What to say about a name that is not known."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f" Did you mean `{close[0]}`?"
    return f" Loaded: {', '.join(f'`{known_name}`' for known_name in names)}." if names else " None is loaded."
