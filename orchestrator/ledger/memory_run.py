"""`MemoryRun`: one run as the ledger in memory keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.entries import ChildEnded, Entry, Invoked, Outcome, RunOptions
from orchestrator.ledger import refusals
from orchestrator.ledger.base import Pointer, RunSummary, Status
from orchestrator.ledger.live import Position
from orchestrator.ledger.memory_spending import Spending
from orchestrator.ledger.sessions import Joining
from orchestrator.question import Question
from orchestrator.usage import Usage


@dataclass
class AskedQuestion:
    """A question, and how it was decided: in words, and the decision's id."""

    question: Question
    verdict: str = ""
    decision_id: str = ""


@dataclass
class MemoryRun:
    """A run's state. The log is the truth that it sums up."""

    run_id: str
    task: str
    digest: str
    queue: str | None
    priority: int | None
    note: str
    continuation: Mapping[str, Any]
    parent: tuple[str, str] | None
    started_at: float
    updated_at: float
    options: RunOptions
    spending: Spending
    """The whole tree's: runs of a tree share it."""
    tree_started_at: float
    cancel: bool = False
    cancel_reason: str | None = None
    retry_of: str | None = None
    retried_by: str | None = None
    pause: str | None = None
    """The request that paused it."""
    resumed: str | None = None
    """The latest request that resumed it."""
    is_resting: bool = False
    status: Status = "queued"
    step: int = 1
    fence: int = 0
    released: int | None = None
    """The fence of the claim that gave its step back last."""
    tries: int = 0
    holder: str | None = None
    grace_seconds: float = 0.0
    deadline: float | None = None
    """When any worker moves the run on."""
    hastened: int = 0
    """The step at which the run is to sleep no longer."""
    expires_at: float | None = None
    usage: Usage = field(default_factory=Usage)
    outcome: Outcome | None = None
    joining: Joining | None = None
    in_line: bool = False
    """Waits for its session's floor."""
    compacted: int = 0
    """Exchanges that its answer takes the place of."""
    edition: int = 0
    """Of the session, when the run got the floor."""
    waits: dict[str, str] = field(default_factory=dict)
    failures_left: int | None = None
    """How many of the awaited runs may still fail; below 0 the run goes on."""
    started: dict[str, str] = field(default_factory=dict)
    """Tools of the calls that have begun and have no output, by call id."""
    settled: set[str] = field(default_factory=set)
    questions: dict[str, AskedQuestion] = field(default_factory=dict)
    """What was asked of people, by call id."""
    log: list[Entry] = field(default_factory=list)
    positions: list[Position] = field(default_factory=list)
    """Of the log's entries."""
    decisions: int = 0
    """Entries of the log that people wrote."""

    @property
    def size(self) -> int:
        """Entries that the run's holders and scripts wrote."""
        return len(self.log) - self.decisions

    @property
    def has_failed_too_often(self) -> bool:
        """Whether more of the awaited runs have failed than it puts up with."""
        return self.failures_left is not None and self.failures_left < 0

    def pointer(self) -> Pointer:
        """The message for the run's step."""
        return Pointer(self.run_id, self.step, self.task, self.queue, self.priority, self.note, self.continuation)

    def summary(self) -> RunSummary:
        """The run at one glance."""
        return RunSummary(
            run_id=self.run_id,
            status=self.status,
            task=self.task,
            step=self.step,
            queue=self.queue,
            started_at=self.started_at,
            updated_at=self.updated_at,
            usage=self.usage,
            cancel=self.cancel,
            outcome=self.outcome,
            parent=self.parent,
            waits=dict(self.waits),
            tries=self.tries,
            size=self.size,
            tags=self.options.tags,
            cancel_reason=self.cancel_reason,
            retry_of=self.retry_of,
            retried_by=self.retried_by,
            pause=self.pause is not None,
            metadata=self.options.metadata,
            questions=[asked.question for asked in self.questions.values() if not asked.verdict],
        )

    def may_be_taken(self, step: int, message_id: str) -> bool:
        """Whether a message may claim the run: it is queued, or the message's earlier delivery held it and died."""
        if self.step != step:
            return False
        return self.status == "queued" or (
            self.status == "running" and self.holder == message_id and self.outcome is None
        )

    def take(self, message_id: str, worker: str, *, in_passing: bool) -> Invoked:
        """Become held by a message; the entry that says so."""
        after_release = self.released == self.fence
        self.status, self.holder = "running", message_id
        self.fence += 1
        self.tries += 1
        return Invoked(
            step=self.step,
            task=self.task,
            worker=worker,
            fence=self.fence,
            after_release=after_release,
            in_passing=in_passing,
        )

    def check_size(self, expected: int) -> None:
        """Refuse a write that does not follow the log as it is."""
        if self.size != expected:
            raise refusals.outdated(self.run_id, expected, self.size)


def with_usage(run: MemoryRun, outcome: Outcome) -> Outcome:
    """An outcome of the ledger's own, with what the run has spent."""
    return outcome.model_copy(update={"usage": run.usage})


def pointers_to(run: MemoryRun) -> list[Pointer]:
    """The run's pointer, if it is queued."""
    return [run.pointer()] if run.status == "queued" else []


def child_ended(child: MemoryRun, outcome: Outcome) -> ChildEnded:
    """A child's report to its parent."""
    call_id = child.parent[1] if child.parent else ""
    return ChildEnded(call_id=call_id, child=child.run_id, outcome=outcome)
