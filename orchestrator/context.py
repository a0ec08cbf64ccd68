"""What tools, hooks, guardrails and callable instructions get to know about the run they serve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from orchestrator.errors import RunCancelled
from orchestrator.resources import get_resource
from orchestrator.usage import Usage

C = TypeVar("C")
R = TypeVar("R")


@dataclass
class RunContext(Generic[C]):
    """A run's context. Never shown to the model.

    `context` is the producer's object: it travels with the run as JSON, changes made by tools and
    hooks are kept, and every invocation sees them, on whichever worker it runs.
    """

    context: C
    usage: Usage = field(default_factory=Usage)
    run_id: str = ""
    agent: str = ""
    """Name of the active agent."""

    def resource(self, factory: Callable[[], R]) -> R:
        """The worker's own object made by `factory`: made once per process on first use, never serialised."""
        return get_resource(factory)


@dataclass
class ToolContext(RunContext[C]):
    """The context of one tool call."""

    tool_name: str = ""
    call_id: str = ""
    arguments: str = ""
    """The call's arguments, as the model wrote them."""

    origin: str | None = None
    """The first of the runs that this one is a retry of."""
    cancelled: bool = False
    """Whether nobody waits for this call any more: the run was cancelled, is out of time, or goes on elsewhere.

    Async tools are cancelled then; a tool that runs in a thread has to look here now and then.
    """

    def raise_if_cancelled(self) -> None:
        """Raise `RunCancelled` if nobody waits for this call any more."""
        if self.cancelled:
            raise RunCancelled(f"Nobody waits for this call of `{self.tool_name}` any more.", run_id=self.run_id)

    @property
    def tool_call_id(self) -> str:
        """The Agents SDK's name of `call_id`."""
        return self.call_id

    @property
    def tool_arguments(self) -> str:
        """The Agents SDK's name of `arguments`."""
        return self.arguments

    @property
    def idempotency_key(self) -> str:
        """Stays the same however often this call is run: give it to the service that you change."""
        return f"{self.origin or self.run_id}:{self.call_id}"


RunContextWrapper = RunContext
"""The Agents SDK's name of `RunContext`."""
