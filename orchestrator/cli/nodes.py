"""The nodes of a run's tree on a screen: runs, their invocations, turns and calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from orchestrator.choice import Choice
from orchestrator.entries import BudgetNotice, Item, Outcome, RetryOf, RunOptions
from orchestrator.question import Question
from orchestrator.usage import Usage

RunState = Literal["queued", "running", "parked", "answered", "failed", "cancelled"]
CallState = Literal["asked", "running", "waiting", "done", "failed", "handoff", "ignored"]


@dataclass
class CallNode:
    """A tool call, a call of another agent, a handoff, or a flow's member."""

    call_id: str
    tool: str
    arguments: str
    asked_at: float
    state: CallState = "asked"
    ended_at: float | None = None
    output: str | list[Item] = ""
    target: str = ""
    """Whom a handoff leads to."""
    child: RunNode | None = None
    """The run that serves the call."""
    question: Question | None = None
    """What people are asked about the call, and have not decided."""
    is_member: bool = False
    """Of a flow: nobody has called it with arguments."""


@dataclass
class TurnNode:
    """One model call and what it asked for."""

    number: int
    model: str
    usage: Usage
    began_at: float
    ended_at: float
    text: str
    calls: list[CallNode] = field(default_factory=list)
    cost: float = 0.0


@dataclass
class InvocationNode:
    """One claim of the run."""

    step: int
    task: str
    task_id: str
    worker: str
    began_at: float
    ended_at: float | None = None
    is_lost: bool = False
    """Whether its worker fell silent, so that another had to take over."""
    turns: list[TurnNode] = field(default_factory=list)
    moves: list[CallNode | Choice] = field(default_factory=list)
    """The members that a flow has started, and what its code has decided, in order."""
    is_in_passing: bool = False
    """Whether a member's task did it for the flow."""
    has_task: bool = True
    """Whether it is a Celery task: in passing, only the step is that ends the flow."""

    @property
    def name(self) -> str:
        """The agent's or tool's name."""
        return self.task.partition(".")[2]

    @property
    def is_empty(self) -> bool:
        """Whether nothing has come of it: it gave its step back at once, for a task that may run a flow's functions."""
        return not self.turns and not self.moves


@dataclass
class RunNode:
    """One run, with the runs that it called below their calls."""

    run_id: str
    name: str = ""
    """The first agent, or the tool."""
    input: list[Item] = field(default_factory=list)
    state: RunState = "queued"
    began_at: float = 0.0
    changed_at: float = 0.0
    ended_at: float | None = None
    turns: int = 0
    usage: Usage = field(default_factory=Usage)
    writing: str = ""
    """What the model has written so far of its next reply."""
    outcome: Outcome | None = None
    waits_for: str = ""
    """What a run that called nobody is parked for."""
    invocations: list[InvocationNode] = field(default_factory=list)
    calls: dict[str, CallNode] = field(default_factory=dict)
    notices: list[BudgetNotice] = field(default_factory=list)
    options: RunOptions = field(default_factory=RunOptions)
    retry_of: RetryOf | None = None

    @property
    def active(self) -> str:
        """The agent that is, or was last, at work."""
        return self.invocations[-1].name if self.invocations else self.name

    @property
    def cost(self) -> float:
        """What the model calls of this run and of all below it cost, where prices are known."""
        return sum(turn.cost for run in self.walk() for invocation in run.invocations for turn in invocation.turns)

    def walk(self) -> Iterator[RunNode]:
        """This run and all below it."""
        yield self
        for call in self.calls.values():
            if call.child is not None:
                yield from call.child.walk()
