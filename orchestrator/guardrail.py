"""Guardrails: functions that check a run's input, its output, or a tool's call, and may end the run."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, overload

from orchestrator.context import RunContext, ToolContext
from orchestrator.errors import UserError

if TYPE_CHECKING:
    from orchestrator.agent import Agent


@dataclass(frozen=True)
class GuardrailFunctionOutput:
    """What a guardrail has found. A tripwire ends the run."""

    output_info: Any
    """Whatever explains the verdict; it has a JSON form, is kept in the ledger and reaches the producer."""
    tripwire_triggered: bool


InputCheck = Callable[
    [RunContext[Any], "Agent[Any]", Any], GuardrailFunctionOutput | Awaitable[GuardrailFunctionOutput]
]
OutputCheck = InputCheck


@dataclass(frozen=True)
class AgentCheck:
    """A guardrail that asks an agent, in a run of its own, and judges its answer."""

    agent: Agent[Any]
    tripped: Callable[[Any], bool]
    """Whether this answer, typed, ends the run that is guarded."""


@dataclass(frozen=True)
class InputGuardrail:
    """Checks what a run was given, by the starting agent's guardrails alone. `@input_guardrail` makes one.

    In parallel (the default) it works beside the first turn, whose tools may have run when it trips; otherwise before
    any model call.
    """

    guardrail_function: InputCheck | AgentCheck
    """Called with (context, agent, input): text, or a list of items."""
    name: str | None = None
    run_in_parallel: bool = True

    def get_name(self) -> str:
        """The name, or the function's."""
        return self.name or str(getattr(self.guardrail_function, "__name__", "guardrail"))


@dataclass(frozen=True)
class OutputGuardrail:
    """Checks a run's final output, parsed, by the answering agent's guardrails. `@output_guardrail` makes one."""

    guardrail_function: OutputCheck | AgentCheck
    """Called with (context, agent, output)."""
    name: str | None = None

    def get_name(self) -> str:
        """The name, or the function's."""
        return self.name or str(getattr(self.guardrail_function, "__name__", "guardrail"))


@dataclass(frozen=True)
class ToolGuardrailFunctionOutput:
    """What a tool's guardrail has found. Made by `allow`, `reject_content` and `raise_exception`."""

    output_info: Any = None
    behavior: Literal["allow", "reject_content", "raise_exception"] = "allow"
    message: str = ""

    @classmethod
    def allow(cls, output_info: Any = None) -> ToolGuardrailFunctionOutput:
        """Go on."""
        return cls(output_info)

    @classmethod
    def reject_content(cls, message: str, output_info: Any = None) -> ToolGuardrailFunctionOutput:
        """Give the model this message in place of the tool's output; before the call, the tool does not run."""
        return cls(output_info, "reject_content", message)

    @classmethod
    def raise_exception(cls, output_info: Any = None) -> ToolGuardrailFunctionOutput:
        """End the run."""
        return cls(output_info, "raise_exception")


@dataclass(frozen=True)
class ToolInputGuardrailData:
    """What a guardrail gets before a tool runs: the call, in `context.arguments`, and the calling agent."""

    context: ToolContext[Any]
    agent: Agent[Any] | None
    """`None` where the tool runs on a queue of its own."""


@dataclass(frozen=True)
class ToolOutputGuardrailData(ToolInputGuardrailData):
    """What a guardrail gets after a tool has run."""

    output: Any


ToolInputCheck = Callable[
    [ToolInputGuardrailData], ToolGuardrailFunctionOutput | Awaitable[ToolGuardrailFunctionOutput]
]
ToolOutputCheck = Callable[
    [ToolOutputGuardrailData], ToolGuardrailFunctionOutput | Awaitable[ToolGuardrailFunctionOutput]
]


@dataclass(frozen=True)
class ToolInputGuardrail:
    """Checks a function tool's call before it runs. `@tool_input_guardrail` makes one."""

    guardrail_function: ToolInputCheck
    name: str | None = None

    def get_name(self) -> str:
        """The name, or the function's."""
        return self.name or str(getattr(self.guardrail_function, "__name__", "guardrail"))


@dataclass(frozen=True)
class ToolOutputGuardrail:
    """Checks a function tool's output before the model sees it. `@tool_output_guardrail` makes one."""

    guardrail_function: ToolOutputCheck
    name: str | None = None

    def get_name(self) -> str:
        """The name, or the function's."""
        return self.name or str(getattr(self.guardrail_function, "__name__", "guardrail"))


@overload
def input_guardrail(function: InputCheck, /) -> InputGuardrail: ...


@overload
def input_guardrail(
    *, name: str | None = None, run_in_parallel: bool = True
) -> Callable[[InputCheck], InputGuardrail]: ...


def input_guardrail(
    function: InputCheck | None = None, /, *, name: str | None = None, run_in_parallel: bool = True
) -> InputGuardrail | Callable[[InputCheck], InputGuardrail]:
    """Make an input guardrail of a function of (context, agent, input), which may be async."""
    if function is not None:
        return InputGuardrail(function, name, run_in_parallel)
    return lambda decorated: InputGuardrail(decorated, name, run_in_parallel)


@overload
def output_guardrail(function: OutputCheck, /) -> OutputGuardrail: ...


@overload
def output_guardrail(*, name: str | None = None) -> Callable[[OutputCheck], OutputGuardrail]: ...


def output_guardrail(
    function: OutputCheck | None = None, /, *, name: str | None = None
) -> OutputGuardrail | Callable[[OutputCheck], OutputGuardrail]:
    """Make an output guardrail of a function of (context, agent, output), which may be async."""
    return OutputGuardrail(function, name) if function else lambda decorated: OutputGuardrail(decorated, name)


def input_guardrail_agent(
    agent: Agent[Any], *, tripped: Callable[[Any], bool], name: str | None = None, run_in_parallel: bool = True
) -> InputGuardrail:
    """Make an input guardrail of an agent, which is given the run's input. The name is the agent's by default.

    `tripped` gets its answer, typed, and says whether the run ends.
    """
    return InputGuardrail(AgentCheck(agent, tripped), name or agent.name, run_in_parallel)


def output_guardrail_agent(
    agent: Agent[Any], *, tripped: Callable[[Any], bool], name: str | None = None
) -> OutputGuardrail:
    """Make an output guardrail of an agent, which is given the final output. See `input_guardrail_agent`."""
    return OutputGuardrail(AgentCheck(agent, tripped), name or agent.name)


@overload
def tool_input_guardrail(function: ToolInputCheck, /) -> ToolInputGuardrail: ...


@overload
def tool_input_guardrail(*, name: str | None = None) -> Callable[[ToolInputCheck], ToolInputGuardrail]: ...


def tool_input_guardrail(
    function: ToolInputCheck | None = None, /, *, name: str | None = None
) -> ToolInputGuardrail | Callable[[ToolInputCheck], ToolInputGuardrail]:
    """Make a tool's input guardrail of a function of `ToolInputGuardrailData`, which may be async."""
    return ToolInputGuardrail(function, name) if function else lambda decorated: ToolInputGuardrail(decorated, name)


@overload
def tool_output_guardrail(function: ToolOutputCheck, /) -> ToolOutputGuardrail: ...


@overload
def tool_output_guardrail(*, name: str | None = None) -> Callable[[ToolOutputCheck], ToolOutputGuardrail]: ...


def tool_output_guardrail(
    function: ToolOutputCheck | None = None, /, *, name: str | None = None
) -> ToolOutputGuardrail | Callable[[ToolOutputCheck], ToolOutputGuardrail]:
    """Make a tool's output guardrail of a function of `ToolOutputGuardrailData`, which may be async."""
    return ToolOutputGuardrail(function, name) if function else lambda decorated: ToolOutputGuardrail(decorated, name)


async def ask_guardrail(
    name: str, check: InputCheck, context: RunContext[Any], agent: Agent[Any], given: Any
) -> GuardrailFunctionOutput:
    """The guardrail's verdict. Raises `UserError` for anything else that it returns, and what it raises."""
    made = check(context, agent, given)
    verdict = await made if inspect.isawaitable(made) else made
    if not isinstance(verdict, GuardrailFunctionOutput):
        raise UserError(
            f"Guardrail `{name}` must return GuardrailFunctionOutput(output_info, tripwire_triggered), not {verdict!r}."
        )
    return verdict


def check_guardrails(owner: str, guardrails: Sequence[Any], kind: type[Any]) -> None:
    """Raise `UserError` for what is no guardrail of this kind, and for two of one name: verdicts are kept by name."""
    names: set[str] = set()
    for guardrail in guardrails:
        if not isinstance(guardrail, kind):
            raise UserError(
                f"{owner} has a guardrail that is no {kind.__name__}: {guardrail!r}. Decorate the function."
            )
        if guardrail.get_name() in names:
            raise UserError(f"{owner} has two guardrails called `{guardrail.get_name()}`. Name one of them otherwise.")
        names.add(guardrail.get_name())
