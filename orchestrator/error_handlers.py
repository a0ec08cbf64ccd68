"""What an agent answers instead of failing: handlers by kind of error."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypedDict

from orchestrator.context import RunContext
from orchestrator.errors import MaxTurnsExceeded, ModelBehaviorError, ModelRefusalError, RunFailed, UserError
from orchestrator.models.base import Item

HandledError = MaxTurnsExceeded | ModelRefusalError | ModelBehaviorError


@dataclass(frozen=True)
class RunErrorHandlerInput:
    """What a handler gets to see."""

    error: HandledError
    context: RunContext[Any]
    history: list[Item]
    """The whole conversation so far."""
    last_agent: str


@dataclass(frozen=True)
class RunErrorHandlerResult:
    """The answer to give. `include_in_history` adds it to the conversation as the agent's message."""

    final_output: Any
    include_in_history: bool = True


RunErrorHandler = Callable[[RunErrorHandlerInput], Any | Awaitable[Any]]
"""Returns a `RunErrorHandlerResult`, its dict form, a plain value, or `None` to let the run fail."""


class RunErrorHandlers(TypedDict, total=False):
    """Handlers by kind of error."""

    max_turns: RunErrorHandler
    model_refusal: RunErrorHandler
    invalid_final_output: RunErrorHandler


class InvalidFinalOutput(ModelBehaviorError):
    """The final message does not fit the agent's output type. Reported as `ModelBehaviorError`."""


def find_handler(handlers: RunErrorHandlers, error: Exception) -> RunErrorHandler | None:
    """The handler for this error, if the agent declares one."""
    match error:
        case MaxTurnsExceeded():
            return handlers.get("max_turns")
        case ModelRefusalError():
            return handlers.get("model_refusal")
        case InvalidFinalOutput():
            return handlers.get("invalid_final_output")
        case _:
            return None


async def ask_handler(handler: RunErrorHandler, given: RunErrorHandlerInput) -> RunErrorHandlerResult | None:
    """The handler's answer, or `None` where it declines."""
    answer = handler(given)
    if inspect.isawaitable(answer):
        answer = await answer
    if answer is None or isinstance(answer, RunErrorHandlerResult):
        return answer
    if isinstance(answer, dict) and "final_output" in answer:
        if extra := set(answer) - {"final_output", "include_in_history"}:
            raise UserError(f"The error handler of agent `{given.last_agent}` returned unknown keys: {sorted(extra)}.")
        return RunErrorHandlerResult(**answer)
    return RunErrorHandlerResult(answer)


__all__ = [
    "HandledError",
    "InvalidFinalOutput",
    "RunErrorHandler",
    "RunErrorHandlerInput",
    "RunErrorHandlerResult",
    "RunErrorHandlers",
    "RunFailed",
    "ask_handler",
    "find_handler",
]
