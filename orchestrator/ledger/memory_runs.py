"""The runs of a ledger in memory, and the moves that its scripts share."""

from __future__ import annotations

import asyncio
import heapq
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from orchestrator.budget import Spent
from orchestrator.entries import ChildEnded, Entry, EntryBase, Outcome, RunOptions, dump_entry, load_entry
from orchestrator.ledger import entry_rules, refusals
from orchestrator.ledger.base import Claim, LedgerSettings, NewRun, Pointer, RunSummary, Status
from orchestrator.ledger.entry_rules import Writing
from orchestrator.ledger.live import Position
from orchestrator.ledger.memory_spending import Spending, new_spending
from orchestrator.run_ids import root_of
from orchestrator.usage import Usage


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
    status: Status = "queued"
    step: int = 1
    fence: int = 0
    tries: int = 0
    holder: str | None = None
    grace_seconds: float = 0.0
    deadline: float | None = None
    """When any worker moves the run on."""
    expires_at: float | None = None
    usage: Usage = field(default_factory=Usage)
    outcome: Outcome | None = None
    waits: dict[str, str] = field(default_factory=dict)
    started: dict[str, str] = field(default_factory=dict)
    """Tools of the calls that have begun and have no output, by call id."""
    settled: set[str] = field(default_factory=set)
    log: list[Entry] = field(default_factory=list)
    positions: list[Position] = field(default_factory=list)
    """Of the log's entries."""

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
            size=len(self.log),
            tags=self.options.tags,
            metadata=self.options.metadata,
        )


class MemoryRuns:
    """All runs by id. Moves never wait, so each is atomic on its event loop."""

    def __init__(self, settings: LedgerSettings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._runs: dict[str, MemoryRun] = {}
        self._cancelled_in_advance: dict[str, float] = {}
        self._last_position = (0, 0)
        self.news = asyncio.Event()
        """Set, and replaced, whenever there is something new to read."""

    def find(self, run_id: str) -> MemoryRun | None:
        """The run, unless it is unknown or has expired."""
        run = self._runs.get(run_id)
        if run and run.expires_at is not None and run.expires_at <= self._clock():
            del self._runs[run_id]
            return None
        return run

    def find_held(self, claim: Claim) -> MemoryRun:
        """The run that the claim is a licence for."""
        run = self.find(claim.run_id)
        if run is None or run.status != "running" or run.fence != claim.fence:
            raise refusals.fenced(claim.run_id, claim.fence)
        return run

    def find_moved(self, claim: Claim) -> MemoryRun | None:
        """The run, if this claim's hand-over or park was applied before. Only those park it or count its step up."""
        run = self.find(claim.run_id)
        if run is None or run.fence != claim.fence:
            return None
        moved = run.status == "parked" or (run.status == "queued" and run.step != claim.step)
        return run if moved else None

    def pointers_to_parent(self, run: MemoryRun) -> list[Pointer]:
        """What the parent has to be told again, if it is queued."""
        parent = self.find(run.parent[0]) if run.parent else None
        return pointers_to(parent) if parent else []

    def overdue(self, limit: int) -> list[MemoryRun]:
        """Runs whose deadline has passed, the oldest first."""
        now = self._clock()
        late = [(run.deadline, run.run_id) for run in self._runs.values() if run.deadline and run.deadline <= now]
        return [self._runs[run_id] for _, run_id in heapq.nsmallest(limit, late)]

    def deadlines(self) -> list[tuple[str, float]]:
        """Runs that have a deadline, the earliest first."""
        found = [(run.deadline, run.run_id) for run in self._runs.values() if run.deadline]
        return [(run_id, deadline) for deadline, run_id in sorted(found)]

    def root_runs(self) -> list[MemoryRun]:
        """Runs without a parent, the newest first."""
        found = [run for run in map(self.find, list(self._runs)) if run and run.parent is None]
        return found[::-1]

    # ---- moves --------------------------------------------------------------------------------

    def check_digest(self, new: NewRun) -> None:
        """Refuse an id that is taken by something else."""
        run = self.find(new.run_id)
        if run and run.digest != new.digest:
            raise refusals.conflict(new.run_id)

    def start(self, new: NewRun) -> Pointer | None:
        """Create the run unless it exists; its pointer while it is queued at step 1."""
        run = self.find(new.run_id) or self._create(new)
        return run.pointer() if run.status == "queued" and run.step == 1 else None

    def _create(self, new: NewRun) -> MemoryRun:
        now = self._clock()
        options = entry_rules.options_of(new.entry)
        root = self.find(root_of(new.run_id))
        run = MemoryRun(
            run_id=new.run_id,
            task=new.task,
            digest=new.digest,
            queue=new.queue,
            priority=new.priority,
            note=new.note,
            # Through JSON, as in Redis: what has no JSON form fails in tests too.
            continuation=json.loads(json.dumps(dict(new.continuation))),
            parent=new.parent,
            started_at=now,
            updated_at=now,
            options=options,
            spending=root.spending if root else new_spending(options, now),
            tree_started_at=root.started_at if root else now,
            cancel=self._cancelled_in_advance.pop(new.run_id, 0.0) > now,
        )
        self._runs[new.run_id] = run
        self.add_entry(run, new.entry)
        self.queue(run)
        return run

    def cancel_in_advance(self, run_id: str) -> None:
        """Remember the cancel of a run that does not exist yet."""
        self._cancelled_in_advance[run_id] = self._clock() + self._settings.retention_seconds

    def add_entry(self, run: MemoryRun, entry: EntryBase) -> None:
        """Append to the log, through JSON as in Redis."""
        run.log.append(load_entry(dump_entry(entry)))
        run.positions.append(self.next_position())
        run.updated_at = self._clock()

    def next_position(self) -> Position:
        """The place of something new to read, of which readers are told."""
        self.news.set()
        self.news = asyncio.Event()
        milliseconds, number = self._last_position
        now = max(milliseconds, int(self._clock() * 1000))
        self._last_position = (now, number + 1 if now == milliseconds else 0)
        return "{}-{}".format(*self._last_position)

    def spent(self, run: MemoryRun) -> Spent | None:
        """What the run's tree has spent, if it has a budget."""
        return run.spending.total(self._clock() - run.tree_started_at)

    def set_deadline(self, run: MemoryRun, seconds: float) -> None:
        """Let any worker move the run on after these seconds."""
        run.deadline = self._clock() + seconds

    def queue(self, run: MemoryRun) -> Pointer:
        """Wait for a worker to claim the run's step."""
        run.status, run.holder = "queued", None
        run.updated_at = self._clock()
        run.grace_seconds = self._settings.grace_seconds
        self.set_deadline(run, run.grace_seconds)
        return run.pointer()

    def wake(self, run: MemoryRun) -> Pointer:
        """Let a parked run go on, with or without all that it waited for."""
        run.step += 1
        run.tries = 0
        run.waits = {}
        return self.queue(run)

    def wait_for(self, run: MemoryRun, new: NewRun) -> list[Pointer]:
        """Open a wait for a child, created if it does not exist. One that has ended reports at once."""
        child = self.find(new.run_id)
        if child and child.outcome:
            self.add_entry(run, child_ended(child, child.outcome))
            return []
        call_id = new.parent[1] if new.parent else ""
        if child is None and entry_rules.is_counted_call(run.task, new.task):
            run.spending.count_call()
        run.waits[call_id] = new.run_id
        pointer = self.start(new)
        return [pointer] if pointer else []

    def close_wait(self, run: MemoryRun, wait: str, entry: EntryBase) -> list[Pointer]:
        """The first one to close a wait wins, the last wait wakes the run."""
        if run.status != "parked" or wait not in run.waits:
            return []
        self.add_entry(run, entry)
        del run.waits[wait]
        return [] if run.waits else [self.wake(run)]

    def record(self, run: MemoryRun, writing: Writing) -> None:
        """Record a holder's entries, and what they say about tool calls and spending."""
        new_calls = len(writing.started.keys() - run.started.keys() - run.settled)
        run.spending.count(run.run_id, writing, new_calls=new_calls, seconds=self._clock() - run.tree_started_at)
        for entry in writing.entries:
            self.add_entry(run, entry)
        run.started |= writing.started
        for call_id in writing.settled:
            run.started.pop(call_id, None)
        run.settled |= set(writing.settled)
        if writing.usage is not None:
            run.usage = writing.usage
        if writing.has_result:
            run.tries = 0

    def end(self, run: MemoryRun, writing: Writing, outcome: Outcome | None = None) -> list[Pointer]:
        """Set the outcome (none given: the run is cancelled) and report it to the parent."""
        happened = [entry for entry in writing.entries if not (run.cancel and entry_rules.is_move(entry))]
        self.record(run, replace(writing, entries=happened))
        self.set_deadline(run, self._settings.lease_seconds)
        return self.set_outcome(run, outcome or with_usage(run, entry_rules.cancelled_outcome(run.run_id)))

    def set_outcome(self, run: MemoryRun, outcome: Outcome) -> list[Pointer]:
        """Settle what is open, and let the parent know in the same move."""
        for call_id, tool in sorted(run.started.items()):
            self.add_entry(run, entry_rules.unknown_output(call_id, tool))
            run.settled.add(call_id)
        run.started = {}
        self.add_entry(run, outcome)
        run.outcome = outcome
        if run.parent is None:
            return []
        parent_id, call_id = run.parent
        parent = self.find(parent_id)
        return self.close_wait(parent, call_id, child_ended(run, outcome)) if parent else []


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
