"""What an agent asks its model: which model, and the request."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from orchestrator.agent import Agent
from orchestrator.context import RunContext
from orchestrator.conversation import to_model_input
from orchestrator.entries import RunOptions
from orchestrator.model_settings import ModelSettings
from orchestrator.models.base import Model, ModelRequest, OutputFormat
from orchestrator.models.defaults import implicit_settings
from orchestrator.models.resolve import resolve_model
from orchestrator.output_schema import output_schema_of
from orchestrator.settings import Settings
from orchestrator.state import RunState
from orchestrator.toolbox import Toolbox


def pick_model(agent: Agent[Any], options: RunOptions, settings: Settings) -> Model:
    """The run's model for this agent, else for all, else the agent's own, else the one of the environment."""
    chosen = options.agent_models.get(agent.name) or options.model or agent.model
    return resolve_model(chosen, settings=settings, rehearsal=agent.rehearsal)


async def build_request(
    agent: Agent[Any], state: RunState, context: RunContext[Any], toolbox: Toolbox, model: str
) -> ModelRequest:
    """The next model call's request. Instructions and prompt are evaluated anew each time."""
    return ModelRequest(
        instructions=await agent.get_system_prompt(context),
        input=to_model_input(state.history, state.new_items()),
        tools=toolbox.specs(),
        output_format=_output_format(agent),
        settings=_settings(agent, state, model),
        prompt=await _prompt(agent, context),
        agent=agent.name,
    )


def _settings(agent: Agent[Any], state: RunState, model: str) -> ModelSettings:
    own = implicit_settings(model) if agent.model_settings is None else agent.model_settings
    settings = own.resolve(state.options.model_settings)
    if agent.reset_tool_choice and agent.name in state.tool_users:
        return settings.model_copy(update={"tool_choice": None})
    return settings


def _output_format(agent: Agent[Any]) -> OutputFormat | None:
    schema = output_schema_of(agent.output_type)
    if schema is None or schema.is_plain_text():
        return None
    return OutputFormat("final_output", schema.json_schema(), schema.is_strict_json_schema())


async def _prompt(agent: Agent[Any], context: RunContext[Any]) -> Mapping[str, Any] | None:
    if not callable(agent.prompt):
        return agent.prompt
    made = agent.prompt(context, agent)
    return await made if inspect.isawaitable(made) else made
