"""What a process needs to perform invocations, and what an invocation comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from orchestrator.agent import Agent
from orchestrator.entries import Outcome, RunOptions
from orchestrator.hooks import RunHooks
from orchestrator.ledger.base import Claim, Ledger, Pointer
from orchestrator.limiter import Limiter
from orchestrator.registry import Registry
from orchestrator.renewer import Renewer
from orchestrator.settings import Settings
from orchestrator.shutdown import Shutdown
from orchestrator.usage import Usage


@dataclass(frozen=True)
class SideRun:
    """A run of an agent, beside the run that waits for it on a worker."""

    run_id: str
    agent: Agent[Any]
    given: Any
    context: Any
    options: RunOptions
    worker: str


class SideRuns(Protocol):
    """Starts runs and waits for them."""

    async def answer(self, side_run: SideRun) -> tuple[Any, Usage]:
        """The run's answer, typed, and what it spent. Raises what ended the run otherwise."""

    async def cancel(self, run_id: str, worker: str) -> None:
        """Stop the run, if it has not ended."""


class TaskRunner(Protocol):
    """Sends the user's own Celery tasks, and looks for their results. Blocks: call it in a thread."""

    def start(self, work: Any, value: Any, task_id: str, *, run_id: str, queue: str | None) -> None:
        """Send a task, or a signature, with a value as its first argument. Its end calls the run, over the queue."""

    def find_result(self, task_id: str) -> TaskResult | None:
        """What the task came to; `None` while it has not ended."""


@dataclass(frozen=True)
class TaskResult:
    """What a task came to."""

    value: Any
    error: BaseException | None = None


@dataclass(frozen=True)
class Engine:
    """The parts that every invocation of this process works with. Serves one event loop."""

    ledger: Ledger
    registry: Registry
    settings: Settings
    renewer: Renewer
    shutdown: Shutdown = field(default_factory=Shutdown)
    limiter: Limiter | None = None
    """`None`: the fleet has no limits."""
    run_hooks: Sequence[RunHooks] = ()
    tasks: TaskRunner | None = None
    """Without Celery, none: flows with ordinary tasks as steps cannot run then."""
    side_runs: SideRuns | None = None
    """For guardrails that ask agents."""


@dataclass(frozen=True)
class Performed:
    """What an invocation came to. Its pointers must be published, whatever the kind.

    `ended`: deliver the outcome, then close the run unless it `is_done`. `handed_over`, `parked` and `released` (given
    back because the process stops): nothing to deliver.
    `stale`: another message has done, or is doing, this step.
    """

    kind: Literal["ended", "handed_over", "parked", "released", "stale"]
    note: str
    """A few words for people: what happened. Empty: nothing that another invocation does not say."""
    claim: Claim | None = None
    outcome: Outcome | None = None
    pointers: list[Pointer] = field(default_factory=list)
    is_done: bool = False
    """There is nothing to deliver, and nothing to close: the run's parent knows."""
    woken: Claim | None = None
    """The flow that this end has woken. `perform` lets it go on."""
    ended_flows: list[Performed] = field(default_factory=list)
    """Flows that have ended with this run, the inner ones first. Their outcomes are to be delivered, too."""

    @property
    def to_close(self) -> list[Claim]:
        """Of the runs that are to be closed, once their outcomes are delivered."""
        ends = [one for one in (self, *self.ended_flows) if one.kind == "ended" and not one.is_done]
        return [one.claim for one in ends if one.claim]


STALE = Performed("stale", "")
"""Nothing to say: whoever has taken the step over says what came of it."""
