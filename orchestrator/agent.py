"""`Agent`: a model with instructions, tools and handoffs. Every agent is a Celery task of its own."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypedDict, TypeVar, get_args

from orchestrator.agent_tool import AgentTool, as_tool
from orchestrator.context import RunContext
from orchestrator.error_handlers import RunErrorHandlers
from orchestrator.errors import UserError
from orchestrator.guardrail import AgentCheck, InputGuardrail, OutputGuardrail, check_guardrails
from orchestrator.handoff import Handoff, to_handoff
from orchestrator.hooks import AgentHooks
from orchestrator.model_settings import ModelSettings
from orchestrator.models.base import Model
from orchestrator.models.rehearsal import Script
from orchestrator.output_schema import AgentOutputSchema
from orchestrator.runnable import Runnable, Runtime
from orchestrator.tool import FunctionTool, HostedTool

C = TypeVar("C")

Instructions = str | Callable[[RunContext[Any], "Agent[Any]"], str | Awaitable[str]]
Prompt = Mapping[str, Any] | Callable[[RunContext[Any], "Agent[Any]"], Mapping[str, Any] | Awaitable[Mapping[str, Any]]]
AnyTool = FunctionTool | AgentTool | HostedTool


class StopAtTools(TypedDict):
    """`tool_use_behavior`: the first of these tools that ran gives the answer."""

    stop_at_tool_names: list[str]


@dataclass(frozen=True)
class FunctionToolResult:
    """A tool call's result, as a callable `tool_use_behavior` gets it. `output` is the tool's value as JSON."""

    tool: FunctionTool | AgentTool
    output: Any
    call_id: str
    text: str = ""
    """The output as the model is shown it."""


@dataclass(frozen=True)
class ToolsToFinalOutputResult:
    """What a callable `tool_use_behavior` returns: whether the tools' outputs are the answer already."""

    is_final_output: bool
    final_output: Any = None


ToolsToFinalOutput = Callable[
    [RunContext[Any], list[FunctionToolResult]], ToolsToFinalOutputResult | Awaitable[ToolsToFinalOutputResult]
]
ToolUseBehavior = Literal["run_llm_again", "stop_on_first_tool"] | StopAtTools | ToolsToFinalOutput


@dataclass(eq=False, kw_only=True)
class Agent(Runnable, Generic[C]):
    """An agent. Fields, names and defaults are the Agents SDK's, plus Celery's queue and priority.

    Agents name each other by object or by registered name, in cycles if need be; append to
    `handoffs` after both exist. An agent must be installed into a Celery app (`install`,
    `create_app`) before it is submitted; its task is `agents.<name>`.
    """

    name: str = field(kw_only=False)
    """Unique among the agents of an app."""
    instructions: Instructions | None = None
    """The system prompt, or a function of (context, agent), evaluated before every model call."""
    handoff_description: str | None = None
    """Tells agents that may hand over to this one when to do so."""
    handoffs: list[Agent[Any] | Handoff | str] = field(default_factory=list)
    tools: list[AnyTool] = field(default_factory=list)
    model: str | Model | None = None
    model_settings: ModelSettings | None = None
    """Default: what suits the model. Any settings given, even empty ones, replace that."""
    prompt: Prompt | None = None
    """A prompt template of the Responses API, passed through."""
    output_type: type[Any] | AgentOutputSchema | Any | None = None
    tool_use_behavior: ToolUseBehavior = "run_llm_again"
    reset_tool_choice: bool = True
    """After this agent has used a tool, its next calls leave the tool choice to the model."""
    input_guardrails: list[InputGuardrail] = field(default_factory=list)
    """Check the run's input, if the run starts with this agent."""
    output_guardrails: list[OutputGuardrail] = field(default_factory=list)
    """Check the final output, if this agent gives it."""
    hooks: AgentHooks | None = None
    error_handlers: RunErrorHandlers = field(default_factory=lambda: RunErrorHandlers())
    """What to answer instead of failing, by kind of error."""

    queue: str | None = None
    """The Celery queue of this agent's task; default: the app's routing."""
    priority: int | None = None
    context_type: type[Any] | None = None
    """The type of the run's context; found in `Agent[T]` and in the tools' signatures if not given."""
    rehearsal: Script | None = None
    """What the rehearsal model plays in this agent's name when no real model is configured."""

    _runtime: Runtime | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        _check(self)

    # ---- composing --------------------------------------------------------------------------

    def clone(self, **changes: Any) -> Agent[C]:
        """A shallow copy with some fields changed; lists that are not passed are shared."""
        return dataclasses.replace(self, **changes)

    def as_tool(self, tool_name: str | None = None, tool_description: str | None = None, **options: Any) -> AgentTool:
        """This agent as a tool of others; `options` are those of `agent_tool.as_tool`."""
        return as_tool(self, tool_name, tool_description, **options)

    async def get_system_prompt(self, context: RunContext[Any]) -> str | None:
        """The instructions for the next model call."""
        if not callable(self.instructions):
            return self.instructions
        made = self.instructions(context, self)
        return await made if inspect.isawaitable(made) else made

    def declared_context_type(self) -> type[Any] | None:
        """The context's type as declared on this agent or its tools, or `None`."""
        if self.context_type is not None:
            return self.context_type
        for argument in get_args(getattr(self, "__orig_class__", None)):
            if isinstance(argument, type):
                return argument
        found = (tool.context_type for tool in self.tools if isinstance(tool, FunctionTool) and tool.context_type)
        return next(found, None)

    def neighbours(self) -> list[Runnable]:
        """Whom it hands over to, has as tools and asks in guardrails; those that are named by name are left out."""
        targets = [to_handoff(target).target for target in self.handoffs]
        called = [tool.agent for tool in self.tools if isinstance(tool, AgentTool)]
        return [*(target for target in targets if not isinstance(target, str)), *called, *self.guardrail_agents()]

    def guardrail_agents(self) -> list[Agent[Any]]:
        """The agents that its guardrails ask."""
        guardrails: list[InputGuardrail | OutputGuardrail] = [*self.input_guardrails, *self.output_guardrails]
        checks = [guardrail.guardrail_function for guardrail in guardrails]
        return [check.agent for check in checks if isinstance(check, AgentCheck)]

    # ---- Celery -----------------------------------------------------------------------------

    @property
    def task_name(self) -> str:
        """The name of this agent's Celery task."""
        return f"agents.{self.name}"


def _check(agent: Agent[Any]) -> None:
    name = agent.name
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise UserError(f"An agent's name must be a non-empty, printable string, not {name!r}.")
    if callable(agent.instructions) and _takes(agent.instructions) != 2:
        raise UserError(f"The instructions of agent `{name}` must take two arguments: (context, agent).")
    for tool in agent.tools:
        if not isinstance(tool, FunctionTool | AgentTool | HostedTool):
            hint = " Decorate it with @function_tool." if callable(tool) else ""
            raise UserError(f"Agent `{name}` has a tool that is none: {tool!r}.{hint}")
    for target in agent.handoffs:
        if not isinstance(target, Agent | Handoff | str):
            raise UserError(f"Agent `{name}` has a handoff that is no agent, handoff() or agent's name: {target!r}.")
    check_guardrails(f"Agent `{name}`", agent.input_guardrails, InputGuardrail)
    check_guardrails(f"Agent `{name}`", agent.output_guardrails, OutputGuardrail)
    behavior = agent.tool_use_behavior
    if not (behavior in ("run_llm_again", "stop_on_first_tool") or isinstance(behavior, dict) or callable(behavior)):
        raise UserError(f"Agent `{name}` has an unknown tool_use_behavior: {behavior!r}.")


def _takes(function: Callable[..., Any]) -> int:
    return len(inspect.signature(function).parameters)
