"""What goes into a ledger's scripts, and what comes out of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from orchestrator.budget import Spent
from orchestrator.entries import Entry, EntryBase, Invoked, Outcome, RunInput, RunOptions
from orchestrator.errors import MessageError
from orchestrator.ledger.sessions import Joining
from orchestrator.question import Question
from orchestrator.usage import Usage

Status = Literal["queued", "running", "parked", "done"]

RUNS_KEPT = 10_000
"""How many submitted runs a ledger lists, the latest ones."""
CANCELS_KEPT = 10_000
"""Cancels of running runs. A worker that is further behind hears of them with the renewal of its leases."""


@dataclass(frozen=True)
class LedgerSettings:
    """The ledger's times, in seconds, and its limits. The numbers' reasons are in docs/protocol.md."""

    grace_seconds: float = 5.0
    max_grace_seconds: float = 600.0
    lease_seconds: float = 30.0
    retention_seconds: float = 86_400.0
    session_retention_seconds: float = 2_592_000.0
    max_tries: int = 5
    queued_per_lane: int = 100
    """Runs of one tenant and queue that have a message at the same time before a worker claims them."""
    held_back_seconds: float = 3600.0
    """How long the others are held back at most, should their lane stand still."""


@dataclass(frozen=True)
class Pointer:
    """A step that is queued: what a message has to say, and the headers that it needs."""

    run_id: str
    step: int
    task: str
    """The Celery task's name: `agents.<name>` or `tools.<name>`."""
    queue: str | None = None
    priority: int | None = None
    note: str = ""
    """A few words for people: what this step is about."""
    continuation: Mapping[str, Any] = field(default_factory=dict)
    """The Celery headers of the producer's request: chain, chord, group, callbacks …"""


@dataclass(frozen=True)
class NewRun:
    """What `start` needs to create a run."""

    run_id: str
    task: str
    digest: str
    """Of task and input: the same id with another digest is a conflict."""
    entry: EntryBase
    """The `RunInput`."""
    queue: str | None = None
    priority: int | None = None
    note: str = ""
    continuation: Mapping[str, Any] = field(default_factory=dict)
    parent: tuple[str, str] | None = None
    """The run that waits for this one, and its call id."""
    copied: Sequence[EntryBase] = ()
    """Entries of the run that it repeats, which follow its first."""
    joining: Joining | None = None
    """The session that it goes on with, where it may have to wait in line."""
    tenant: str = ""

    @property
    def lane(self) -> str | None:
        """Where it queues up with the same tenant's other runs for the same workers. Children, and runs that stand in
        the line of a session, do not."""
        waits_elsewhere = self.parent is not None or self.joining is not None
        return f"{self.tenant}/{self.queue or self.task}" if self.tenant and not waits_elsewhere else None


@dataclass(frozen=True)
class Claim:
    """The licence to move a run on."""

    run_id: str
    step: int
    fence: int
    size: int
    """Entries in the log, without decisions; `append` and the commits say it back, so that none is applied twice."""
    task: str
    entries: list[Entry]
    cancel: bool
    outcome: Outcome | None
    """Set: only the delivery is left."""
    parent: tuple[str, str] | None
    continuation: Mapping[str, Any]
    priority: int | None = None
    damage: MessageError | None = None
    """Set: `entries` ends where the log could no longer be read."""
    watched: bool = False
    """Somebody reads along: see `Notice`."""
    spent: Spent | None = None
    """What the whole tree has spent, if it has a budget."""
    pause: bool = False
    """The run is paused: rest at once."""

    @property
    def options(self) -> RunOptions:
        """What the submit has set."""
        first = self.entries[0] if self.entries else None
        return first.options if isinstance(first, RunInput) else RunOptions()

    @property
    def worker(self) -> str:
        """The name that people know the holder's process by."""
        return self._invoked.worker if self._invoked else "unknown"

    @property
    def is_in_passing(self) -> bool:
        """A flow that a member's end has taken, in the member's task."""
        return self._invoked is not None and self._invoked.in_passing

    @property
    def _invoked(self) -> Invoked | None:
        return next((entry for entry in reversed(self.entries) if isinstance(entry, Invoked)), None)


@dataclass(frozen=True)
class Taker:
    """Who takes a flow, if a member's end wakes it, to move it on: in passing, without a message."""

    task: str
    """The flow's. Another parent is left to others, and so is a flow with a queue of its own."""
    message_id: str
    """As of a message: an end that is repeated after a lost answer is known by it."""
    worker: str


@dataclass(frozen=True)
class Ended:
    """What an end came to: `outcome` counts, and `pointers` are to be published."""

    outcome: Outcome
    pointers: list[Pointer] = field(default_factory=list)
    is_done: bool = False
    """There is nothing to deliver, and nothing to close: the run's parent knows."""
    woken: Claim | None = None
    """The flow that was taken. Unless it is renewed, the claim lasts for the grace only: no message would bring its
    work back."""


@dataclass(frozen=True)
class RunSummary:
    """A run at one glance. Times are Unix seconds."""

    run_id: str
    status: Status
    task: str
    step: int
    queue: str | None
    started_at: float
    updated_at: float
    usage: Usage
    cancel: bool
    outcome: Outcome | None
    parent: tuple[str, str] | None
    waits: dict[str, str]
    tries: int
    size: int
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    cancel_reason: str | None = None
    retry_of: str | None = None
    retried_by: str | None = None
    pause: bool = False

    questions: list[Question] = field(default_factory=list)
    """What people are asked and have not decided."""

    @property
    def agent(self) -> str:
        """The active agent's name, or the queued tool's."""
        return self.task.partition(".")[2]


@dataclass(frozen=True)
class AgentRecord:
    """A task that a live worker has loaded."""

    task: str
    module: str
    queue: str | None
    worker: str
    seen_at: float
    is_live: bool = True
    """False: the worker that had it is gone."""


Renewal = Literal["held", "cancel", "fenced"]
