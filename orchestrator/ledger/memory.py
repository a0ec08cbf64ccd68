"""The ledger in this process's memory, for tests and for running without a server."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from orchestrator.entries import Decided, EntryBase
from orchestrator.ledger import entry_rules, memory_pause, memory_questions, refusals
from orchestrator.ledger.base import (
    CancelledMeanwhile,
    Claim,
    Ledger,
    LedgerSettings,
    NewRun,
    Pointer,
    RunSummary,
)
from orchestrator.ledger.entry_rules import Writing, read_entries
from orchestrator.ledger.live import Notice
from orchestrator.ledger.memory_claims import MemoryClaims
from orchestrator.ledger.memory_inspection import MemoryInspection
from orchestrator.ledger.memory_live import MemoryLive
from orchestrator.ledger.memory_run import MemoryRun, pointers_to
from orchestrator.ledger.memory_runs import MemoryRuns
from orchestrator.usage import Usage


class MemoryLedger(MemoryClaims, MemoryInspection, Ledger):
    """Behaves as the ledger in Redis does, as long as the process lives."""

    def __init__(self, settings: LedgerSettings | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings or LedgerSettings()
        runs = MemoryRuns(self.settings, clock)
        MemoryLive.__init__(self, runs, clock)
        MemoryInspection.__init__(self, runs, clock)
        self._sessions = {}

    # ---- scripts ----------------------------------------------------------------------------

    async def start(self, run: NewRun) -> Pointer | None:
        self._runs.check_digest(run)
        if run.joining and self._runs.find(run.run_id) is None:
            return next(iter(self._join(run, run.joining)), None)
        return self._runs.start(run)

    async def append(
        self,
        claim: Claim,
        at: int,
        entries: Sequence[EntryBase],
        *,
        started: Sequence[str] = (),
        settled: Sequence[str] = (),
        usage: Usage | None = None,
        durable: bool = False,
    ) -> Notice:
        writing = read_entries(entries, started=started, settled=settled, usage=usage)
        run = self._runs.find_held(claim)
        if run.outcome:
            raise refusals.ended(run.run_id)
        if entries and run.size == at + len(entries):
            return self._notice(run)  # applied before
        run.check_size(at)
        for call_id in writing.started:
            if call_id in run.settled:
                raise refusals.settled(run.run_id, call_id)
        self._runs.record(run, writing)
        self._runs.set_deadline(run, self.settings.lease_seconds)
        return self._notice(run)

    async def hand_over(
        self,
        claim: Claim,
        at: int,
        entries: Sequence[EntryBase],
        *,
        task: str,
        queue: str | None,
        note: str,
        usage: Usage | None = None,
    ) -> list[Pointer]:
        repeated = self._runs.find_moved(claim)
        if repeated:
            return pointers_to(repeated)
        run = self._begin_move(claim, at, read_entries(entries, usage=usage))
        run.task, run.queue, run.note = task, queue, note
        return [self._runs.wake(run)]

    async def park(
        self,
        claim: Claim,
        at: int,
        entries: Sequence[EntryBase],
        *,
        children: Sequence[NewRun],
        note: str,
        settled: Sequence[str] = (),
        timer_at: float | None = None,
        usage: Usage | None = None,
    ) -> list[Pointer]:
        repeated = self._runs.find_moved(claim)
        if repeated:
            return [pointer for pointer in map(self._runs.start, children) if pointer] + pointers_to(repeated)
        for child in children:
            self._runs.check_digest(child)
        writing = read_entries(entries, settled=settled, usage=usage)
        run = self._begin_move(claim, at, writing)
        run.status, run.holder, run.note = "parked", None, note
        timer_at = self._clock() if timer_at is not None and run.hastened == run.step else timer_at
        run.deadline = min((at for at in (timer_at, run.spending.ends_at) if at is not None), default=None)
        run.waits, run.failures_left = {}, writing.max_failures
        pointers = [pointer for child in children for pointer in self._runs.wait_for_new(run, child)]
        for call_id, child_id in writing.known_waits(children).items():
            self._runs.wait_for(run, call_id, child_id)
        is_decided = memory_questions.ask(run, writing.questions)
        only_sleeps = timer_at is not None and not children
        if is_decided or run.has_failed_too_often or not (run.waits or writing.questions or only_sleeps):
            pointers.append(self._runs.wake(run))
        return pointers

    async def release(
        self, claim: Claim, at: int, entries: Sequence[EntryBase], *, usage: Usage | None = None
    ) -> list[Pointer]:
        run = self._runs.find(claim.run_id)
        if run and run.status == "queued" and (run.step, run.fence) == (claim.step, claim.fence):
            return pointers_to(run)  # released before
        run = self._runs.find_held(claim)
        if run.outcome:
            raise refusals.ended(run.run_id)
        run.check_size(at)
        run.tries, run.released = max(0, run.tries - 1), run.fence
        self._runs.record(run, read_entries(entries, usage=usage))
        return [self._runs.queue(run)]

    async def decide(self, run_id: str, decided: Decided, *, decision_id: str) -> list[Pointer]:
        run = self._runs.find(run_id)
        if run is None:
            raise refusals.unknown(run_id)
        if memory_questions.was_decided_by(run, decided, decision_id):
            return pointers_to(run)
        memory_questions.decide(self._runs, run, decided, decision_id, self._clock())
        return [self._runs.wake(run)] if run.status == "parked" else []

    async def cancel(self, run_id: str, *, reason: str | None = None) -> list[Pointer]:
        return self._runs.cancel(run_id, reason)

    async def pause(self, run_id: str, *, request_id: str) -> None:
        memory_pause.pause(self._runs, run_id, request_id)

    async def resume(self, run_id: str, *, request_id: str) -> list[Pointer]:
        return memory_pause.resume(self._runs, run_id, request_id)

    async def rest(
        self, claim: Claim, at: int, entries: Sequence[EntryBase], *, usage: Usage | None = None
    ) -> list[Pointer]:
        run = self._runs.find(claim.run_id)
        if run and run.fence == claim.fence and run.status in ("parked", "queued"):
            return pointers_to(run)  # applied before
        run = self._begin_move(claim, at, read_entries(entries, usage=usage))
        return memory_pause.rest(self._runs, run, self._clock())

    async def reconcile(self, limit: int) -> list[Pointer]:
        return [pointer for run in self._runs.overdue(limit) for pointer in self._move_on(run)]

    async def hasten(self, sleeping: Sequence[tuple[str, int]]) -> None:
        for run_id, step in sleeping:
            run = self._runs.find(run_id)
            if run is None or run.step != step:
                continue
            if run.status == "parked" and run.deadline is not None:
                run.deadline = self._clock()
            elif run.status == "running":
                run.hastened = step  # it is about to park: what calls it back was quicker

    # ---- reads ------------------------------------------------------------------------------

    async def summary(self, run_id: str) -> RunSummary | None:
        run = self._runs.find(run_id)
        return run.summary() if run else None

    async def close_connections(self) -> None:
        """There are none."""

    # ---- parts ------------------------------------------------------------------------------

    def _notice(self, run: MemoryRun) -> Notice:
        return Notice(run.cancel, self.is_watched(run.run_id), self._runs.spent(run), run.pause is not None)

    def _begin_move(self, claim: Claim, at: int, writing: Writing) -> MemoryRun:
        run = self._runs.find_held(claim)
        if run.outcome and run.cancel:
            raise CancelledMeanwhile(run.outcome, [*pointers_to(run), *self._runs.pointers_to_parent(run)])
        if run.outcome:
            raise refusals.ended(run.run_id)
        run.check_size(at)
        if run.cancel:
            pointers = self._runs.end(run, writing)
            self._runs.keep_for_delivery(run)
            raise CancelledMeanwhile(run.outcome or entry_rules.cancelled_outcome(run.cancel_reason), pointers)
        self._runs.record(run, writing)
        return run

    def _move_on(self, run: MemoryRun) -> list[Pointer]:
        match run.status:
            case "parked" if run.in_line:
                return self._look_after_line(run)
            case "parked":
                return [self._runs.wake(run)]
            case "running":
                return [self._runs.queue(run)]
            case _:
                if self._runs.lanes.is_held_back(run.run_id):
                    self._runs.lanes.admit(run.run_id)
                run.grace_seconds = min(run.grace_seconds * 2, self.settings.max_grace_seconds)
                self._runs.set_deadline(run, run.grace_seconds)
                return [run.pointer()]
