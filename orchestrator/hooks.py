"""Callbacks of user code around a run's agents, model calls, tools and handoffs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from orchestrator.context import RunContext, ToolContext
from orchestrator.models.base import Item, ModelReply

if TYPE_CHECKING:
    from orchestrator.agent import Agent


class RunHooks:
    """Hooks for every agent of a run. Override what you need; give an instance to `install(hooks=...)`.

    A hook that raises fails the run. After a crash, hooks of the turn in flight run again.
    """

    async def on_agent_start(self, context: RunContext[Any], agent: Agent[Any]) -> None:
        """An agent has become active."""

    async def on_agent_end(self, context: RunContext[Any], agent: Agent[Any], output: Any) -> None:
        """An agent has produced the final output."""

    async def on_handoff(self, context: RunContext[Any], from_agent: Agent[Any], to_agent: Agent[Any] | str) -> None:
        """An agent hands over. `to_agent` is a name where this worker has not loaded that agent."""

    async def on_tool_start(self, context: ToolContext[Any], agent: Agent[Any], tool: Any) -> None:
        """A local tool is about to run, or a called agent about to be queued."""

    async def on_tool_end(self, context: ToolContext[Any], agent: Agent[Any], tool: Any, result: Any) -> None:
        """A tool has run; `result` is its raw value."""

    async def on_llm_start(
        self, context: RunContext[Any], agent: Agent[Any], system_prompt: str | None, input_items: Sequence[Item]
    ) -> None:
        """The model is about to be called."""

    async def on_llm_end(self, context: RunContext[Any], agent: Agent[Any], response: ModelReply) -> None:
        """The model has replied."""


class AgentHooks:
    """Hooks for one agent: `Agent(hooks=...)`."""

    async def on_start(self, context: RunContext[Any], agent: Agent[Any]) -> None:
        """This agent has become active."""

    async def on_end(self, context: RunContext[Any], agent: Agent[Any], output: Any) -> None:
        """This agent has produced the final output."""

    async def on_handoff(self, context: RunContext[Any], agent: Agent[Any] | str, source: Agent[Any]) -> None:
        """This agent (`source`) hands over to `agent`. As in the Agents SDK, the source's hooks are called."""

    async def on_tool_start(self, context: ToolContext[Any], agent: Agent[Any], tool: Any) -> None:
        """A tool of this agent is about to run."""

    async def on_tool_end(self, context: ToolContext[Any], agent: Agent[Any], tool: Any, result: Any) -> None:
        """A tool of this agent has run."""

    async def on_llm_start(
        self, context: RunContext[Any], agent: Agent[Any], system_prompt: str | None, input_items: Sequence[Item]
    ) -> None:
        """The model is about to be called for this agent."""

    async def on_llm_end(self, context: RunContext[Any], agent: Agent[Any], response: ModelReply) -> None:
        """The model has replied to this agent."""


class HookCaller:
    """Calls the run's hooks, then the active agent's. Arguments go by name, as in the Agents SDK."""

    def __init__(self, run_hooks: Sequence[RunHooks], context: RunContext[Any], agent: Agent[Any]) -> None:
        self._run_hooks = run_hooks
        self._context = context
        self.agent = agent

    async def agent_start(self) -> None:
        for hooks in self._run_hooks:
            await hooks.on_agent_start(context=self._context, agent=self.agent)
        if own := self.agent.hooks:
            await own.on_start(context=self._context, agent=self.agent)

    async def agent_end(self, output: Any) -> None:
        for hooks in self._run_hooks:
            await hooks.on_agent_end(context=self._context, agent=self.agent, output=output)
        if own := self.agent.hooks:
            await own.on_end(context=self._context, agent=self.agent, output=output)

    async def handoff(self, target: Agent[Any] | str) -> None:
        for hooks in self._run_hooks:
            await hooks.on_handoff(context=self._context, from_agent=self.agent, to_agent=target)
        if own := self.agent.hooks:
            await own.on_handoff(context=self._context, agent=target, source=self.agent)

    async def tool_start(self, context: ToolContext[Any], tool: Any) -> None:
        for hooks in self._hooked():
            await hooks.on_tool_start(context=context, agent=self.agent, tool=tool)

    async def tool_end(self, context: ToolContext[Any], tool: Any, result: Any) -> None:
        for hooks in self._hooked():
            await hooks.on_tool_end(context=context, agent=self.agent, tool=tool, result=result)

    async def llm_start(self, system_prompt: str | None, input_items: Sequence[Item]) -> None:
        for hooks in self._hooked():
            await hooks.on_llm_start(
                context=self._context, agent=self.agent, system_prompt=system_prompt, input_items=input_items
            )

    async def llm_end(self, response: ModelReply) -> None:
        for hooks in self._hooked():
            await hooks.on_llm_end(context=self._context, agent=self.agent, response=response)

    def _hooked(self) -> list[RunHooks | AgentHooks]:
        return [*self._run_hooks, *([self.agent.hooks] if self.agent.hooks else [])]
