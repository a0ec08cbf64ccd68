"""What an agent can call in this turn: its enabled tools and handoffs, by the names that the model uses."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.agent import Agent
from orchestrator.agent_tool import AgentTool
from orchestrator.context import RunContext
from orchestrator.entries import RunOptions
from orchestrator.errors import UserError
from orchestrator.handoff import Handoff, IsEnabled, to_handoff
from orchestrator.models.base import ToolSpec
from orchestrator.tool import FunctionTool, HostedTool

logger = logging.getLogger(__name__)

CallableTool = FunctionTool | AgentTool


@dataclass(frozen=True)
class Toolbox:
    """The enabled tools and handoffs of one turn."""

    tools: Mapping[str, CallableTool]
    handoffs: Mapping[str, Handoff]
    disabled: Mapping[str, CallableTool | Handoff]
    """What exists, but not in this turn."""
    shown: Sequence[CallableTool | HostedTool]
    """The tools that the model sees, in the agent's order."""

    def specs(self) -> list[ToolSpec | Mapping[str, Any]]:
        """As the model sees them: tools in the agent's order, then handoffs."""
        return [_spec(tool) for tool in self.shown] + [offered.to_spec() for offered in self.handoffs.values()]

    def find(self, name: str, *, with_disabled: bool = False) -> CallableTool | Handoff | None:
        """What the model means by a name."""
        enabled = self.handoffs.get(name) or self.tools.get(name)
        return enabled or (self.disabled.get(name) if with_disabled else None)

    def names(self) -> list[str]:
        """Every name that may be called."""
        return [*self.tools, *self.handoffs]


async def open_toolbox(agent: Agent[Any], context: RunContext[Any], options: RunOptions) -> Toolbox:
    """Ask every `is_enabled`, and settle whose name wins.

    Of two tools with one name the later one wins, and a handoff wins over a tool; with the policy
    `error` both raise `UserError`.
    """
    disabled: dict[str, CallableTool | Handoff] = {}
    handoffs: dict[str, Handoff] = {}
    for offered in map(to_handoff, agent.handoffs):
        if not await _enabled(offered.is_enabled, context, agent):
            disabled[offered.tool_name] = offered
            continue
        if offered.tool_name in handoffs:
            _collide(f"Two handoffs of agent `{agent.name}` are called `{offered.tool_name}`", options)
        handoffs[offered.tool_name] = offered
    tools: dict[str, CallableTool | HostedTool] = {}
    for tool in agent.tools:
        if not isinstance(tool, HostedTool) and not await _enabled(tool.is_enabled, context, agent):
            disabled[tool.name] = tool
            continue
        if tool.name in handoffs:
            _collide(f"A tool and a handoff of agent `{agent.name}` are both called `{tool.name}`", options)
            continue
        if tools.pop(tool.name, None) is not None:
            _collide(f"Two tools of agent `{agent.name}` are called `{tool.name}`", options)
        tools[tool.name] = tool
    callable_tools = {name: tool for name, tool in tools.items() if not isinstance(tool, HostedTool)}
    return Toolbox(callable_tools, handoffs, disabled, list(tools.values()))


def _spec(tool: CallableTool | HostedTool) -> ToolSpec | Mapping[str, Any]:
    match tool:
        case HostedTool():
            return tool.definition
        case AgentTool():
            return tool.to_spec()
        case FunctionTool():
            return ToolSpec(tool.name, tool.description, tool.params_json_schema, tool.strict_json_schema)


async def _enabled(is_enabled: IsEnabled, context: RunContext[Any], agent: Agent[Any]) -> bool:
    if isinstance(is_enabled, bool):
        return is_enabled
    answer = is_enabled(context, agent)
    return bool(await answer if inspect.isawaitable(answer) else answer)


def _collide(what: str, options: RunOptions) -> None:
    if options.tool_name_collision_policy == "error":
        raise UserError(f"{what}. Rename one of them.")
    logger.warning("%s. The later tool wins, and a handoff wins over a tool.", what)
