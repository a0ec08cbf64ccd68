"""The runs of a ledger in memory, and the moves that its scripts share."""

from __future__ import annotations

import asyncio
import heapq
import json
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from orchestrator.budget import Spent
from orchestrator.entries import Decided, EntryBase, Outcome, dump_entry, load_entry
from orchestrator.ledger import entry_rules, refusals
from orchestrator.ledger.base import CANCELS_KEPT, Claim, LedgerSettings, NewRun, Pointer
from orchestrator.ledger.entry_rules import Writing
from orchestrator.ledger.live import Position
from orchestrator.ledger.memory_lanes import MemoryLanes
from orchestrator.ledger.memory_run import MemoryRun, child_ended, pointers_to, with_usage
from orchestrator.ledger.memory_spending import new_spending
from orchestrator.run_ids import root_of


class MemoryRuns:
    """All runs by id. Moves never wait, so each is atomic on its event loop."""

    def __init__(self, settings: LedgerSettings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._runs: dict[str, MemoryRun] = {}
        self._cancelled_in_advance: dict[str, tuple[float, str | None]] = {}
        self.lanes = MemoryLanes(settings.queued_per_lane)
        self._last_position = (0, 0)
        self.cancels: deque[tuple[Position, str]] = deque(maxlen=CANCELS_KEPT)
        """The latest cancels of running runs."""
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

    def find_done(self, claim: Claim) -> MemoryRun | None:
        """The run, if it is done under this claim."""
        run = self.find(claim.run_id)
        return run if run and (run.status, run.fence) == ("done", claim.fence) else None

    def pointers_to_parent(self, run: MemoryRun) -> list[Pointer]:
        """What the parent has to be told again, if it is queued."""
        parent = self.find(run.parent[0]) if run.parent else None
        return pointers_to(parent) if parent else []

    def overdue(self, limit: int) -> list[MemoryRun]:
        """Runs whose deadline has passed, those in a queue last, the oldest first."""
        now = self._clock()
        late = [
            (run.status == "queued", run.deadline, run.run_id)
            for run in self._runs.values()
            if run.deadline and run.deadline <= now
        ]
        return [self._runs[run_id] for _, _, run_id in heapq.nsmallest(limit, late)]

    def all(self) -> list[MemoryRun]:
        """Those that have not expired, the oldest first."""
        return [run for run in map(self.find, list(self._runs)) if run]

    # ---- moves --------------------------------------------------------------------------------

    def check_digest(self, new: NewRun) -> None:
        """Refuse an id that is taken by something else."""
        run = self.find(new.run_id)
        if run and run.digest != new.digest:
            raise refusals.conflict(new.run_id)

    def start(self, new: NewRun) -> Pointer | None:
        """Create the run unless it exists; its pointer while it is queued at step 1."""
        run = self.find(new.run_id)
        if run is None:
            run = self.create(new)
            if new.lane and not self.lanes.enter(new.run_id, new.lane, new.priority):
                self.set_deadline(run, self._settings.held_back_seconds)
        is_published = run.status == "queued" and run.step == 1 and not self.lanes.is_held_back(run.run_id)
        return run.pointer() if is_published else None

    def leave_lane(self, run: MemoryRun) -> None:
        """The run was claimed: its place in its lane is another's, whom the next reconcile publishes."""
        for run_id in self.lanes.leave(run.run_id):
            if held := self.find(run_id):
                self.set_deadline(held, 0.0)

    def create(self, new: NewRun) -> MemoryRun:
        """The run, created unless it exists."""
        if found := self.find(new.run_id):
            return found
        now = self._clock()
        options = entry_rules.options_of(new.entry)
        root = self.find(root_of(new.run_id))
        cancelled_until, reason = self._cancelled_in_advance.pop(new.run_id, (0.0, None))
        is_cancelled = cancelled_until > now
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
            joining=new.joining,
            started_at=now,
            updated_at=now,
            options=options,
            spending=root.spending if root else new_spending(options, now),
            tree_started_at=root.started_at if root else now,
            cancel=is_cancelled,
            cancel_reason=reason if is_cancelled else None,
            retry_of=entry_rules.retried_run(new.entry),
        )
        self._runs[new.run_id] = run
        for entry in (new.entry, *new.copied):
            self.add_entry(run, entry)
        if (old := run.retry_of) and (repeated := self.find(old)):
            repeated.retried_by = new.run_id
        self.queue(run)
        return run

    def add_entry(self, run: MemoryRun, entry: EntryBase) -> None:
        """Append to the log, through JSON as in Redis."""
        run.log.append(load_entry(dump_entry(entry)))
        run.positions.append(self.next_position())
        run.decisions += isinstance(entry, Decided) and not entry.expired
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

    def take(self, run: MemoryRun, message_id: str, worker: str, *, in_passing: bool = False) -> None:
        """Give the run's step to a holder, for a lease, or in passing for the grace."""
        invoked = run.take(message_id, worker, in_passing=in_passing)
        self.set_deadline(run, self._settings.grace_seconds if in_passing else self._settings.lease_seconds)
        self.add_entry(run, invoked)

    def wake(self, run: MemoryRun) -> Pointer:
        """Let a parked run go on, with or without all that it waited for."""
        run.step += 1
        run.tries = 0
        run.is_resting = False
        return self.queue(run)

    def cancel(self, run_id: str, reason: str | None = None) -> list[Pointer]:
        """Flag the run, known or not, and all below its waits; wake parked ones, and tell holders."""
        run = self.find(run_id)
        if run is None:
            self._cancelled_in_advance[run_id] = self._clock() + self._settings.retention_seconds, reason
            return []
        if run.outcome:
            return []
        run.cancel_reason = run.cancel_reason or reason
        if run.cancel:
            return pointers_to(run)  # cancelled before
        run.cancel = True
        if run.status == "running":
            self.cancels.append((self.next_position(), run_id))
        pointers = [self.wake(run)] if run.status == "parked" else []
        if self.lanes.is_held_back(run_id):
            self.lanes.admit(run_id)
            pointers = [self.queue(run)]
        return pointers + self.cancel_children(run, reason)

    def cancel_children(self, run: MemoryRun, reason: str | None = None) -> list[Pointer]:
        """Flag all below the run's waits."""
        return [pointer for child in run.waits.values() for pointer in self.cancel(child, reason)]

    def wait_for_new(self, run: MemoryRun, new: NewRun) -> list[Pointer]:
        """Open a wait for a child, created if it does not exist."""
        if self.find(new.run_id) is None and entry_rules.is_counted_call(run.task, new.task):
            run.spending.count_call()
        pointer = self.start(new)
        if run.pause and (child := self.find(new.run_id)):
            child.pause = child.pause or run.pause
        is_open = self.wait_for(run, new.parent[1] if new.parent else "", new.run_id)
        return [pointer] if pointer and is_open else []

    def wait_for(self, run: MemoryRun, call_id: str, child_id: str) -> bool:
        """Open a wait for a child; False for one that has ended, which reports at once."""
        child = self.find(child_id)
        if child and child.outcome:
            self._report(run, child, child.outcome)
            return False
        run.waits[call_id] = child_id
        return True

    def close_wait(self, run: MemoryRun, wait: str, child: MemoryRun, outcome: Outcome) -> list[Pointer]:
        """The first report counts; the last wait wakes the run, and so does one failure too many."""
        if run.status != "parked" or wait not in run.waits:
            return []
        self._report(run, child, outcome)
        del run.waits[wait]
        return [] if run.waits and not run.has_failed_too_often else [self.wake(run)]

    def _report(self, run: MemoryRun, child: MemoryRun, outcome: Outcome) -> None:
        self.add_entry(run, child_ended(child, outcome))
        if outcome.kind != "answer" and run.failures_left is not None:
            run.failures_left -= 1

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
        return self.set_outcome(run, outcome or with_usage(run, entry_rules.cancelled_outcome(run.cancel_reason)))

    def keep_for_delivery(self, run: MemoryRun) -> None:
        """What is left is the outcome's delivery, for which the holder has a new lease."""
        self.set_deadline(run, self._settings.lease_seconds)

    def finish(self, run: MemoryRun) -> None:
        """Nothing is left to be done: the run expires after the retention."""
        run.status, run.deadline = "done", None
        run.updated_at = self._clock()
        run.expires_at = run.updated_at + self._settings.retention_seconds

    def set_outcome(self, run: MemoryRun, outcome: Outcome) -> list[Pointer]:
        """Settle what is open, and let the parent know in the same move."""
        for call_id, tool in sorted(run.started.items()):
            self.add_entry(run, entry_rules.unknown_output(call_id, tool))
            run.settled.add(call_id)
        run.started = {}
        self.add_entry(run, outcome)
        run.outcome = outcome
        pointers = self.cancel_children(run)
        if run.parent is None:
            return pointers
        parent_id, call_id = run.parent
        parent = self.find(parent_id)
        return pointers + (self.close_wait(parent, call_id, run, outcome) if parent else [])
