"""How a run in memory gets its holder, and how its holder ends it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from orchestrator.entries import EntryBase, Item, Outcome
from orchestrator.ledger import entry_rules, memory_questions, refusals
from orchestrator.ledger.base import Claim, Ended, NewRun, Renewal, Taker
from orchestrator.ledger.entry_rules import read_entries
from orchestrator.ledger.memory_live import MemoryLive
from orchestrator.ledger.memory_run import MemoryRun, pointers_to, with_usage
from orchestrator.ledger.memory_runs import MemoryRuns
from orchestrator.ledger.memory_sessions import MemorySessions
from orchestrator.usage import Usage


class MemoryClaims(MemoryLive, MemorySessions):
    """The part of the ledger in memory that gives runs to holders and takes their outcomes."""

    _runs: MemoryRuns
    _clock: Callable[[], float]

    async def claim(
        self, run_id: str, step: int, *, message_id: str, worker: str, new: NewRun | None = None
    ) -> Claim | None:
        if new and step == 1:
            self._runs.create(new)
        run = self._runs.find(run_id)
        if run is None or not run.may_be_taken(step, message_id):
            return None
        self._runs.take(run, message_id, worker)
        self._runs.leave_lane(run)
        memory_questions.expire(self._runs, run, self._clock())
        if run.tries > self.settings.max_tries and run.outcome is None:
            poisoned = entry_rules.poisoned_outcome(run_id, self.settings.max_tries)
            self._runs.set_outcome(run, with_usage(run, poisoned))
        return self._claim_of(run)

    async def end(
        self,
        claim: Claim,
        at: int,
        entries: Sequence[EntryBase],
        outcome: Outcome,
        *,
        exchange: Sequence[Item] | None = None,
        taker: Taker | None = None,
    ) -> Ended:
        run = (claim.parent and self._runs.find_done(claim)) or self._runs.find_held(claim)
        pointers = [*pointers_to(run), *self._runs.pointers_to_parent(run)]
        if run.outcome is None:
            run.check_size(at)
            writing = read_entries(entries, usage=None if outcome.usage == Usage() else outcome.usage)
            pointers = self._runs.end(run, writing, None if run.cancel and outcome.kind != "cancelled" else outcome)
            self._runs.keep_for_delivery(run)
        counts = run.outcome or outcome
        if run.parent:
            self._runs.finish(run)
            return self._take_parent(Ended(counts, pointers, is_done=True), run.parent[0], taker)
        return Ended(counts, pointers + ([] if exchange is None else self._leave(run, exchange)))

    async def close(self, claim: Claim) -> None:
        if self._runs.find_done(claim):
            return
        run = self._runs.find_held(claim)
        if run.outcome is None:
            raise refusals.unfinished(run.run_id)
        self._runs.finish(run)

    async def renew(self, held: Sequence[tuple[str, int]]) -> list[Renewal]:
        return [self._renew(run_id, fence) for run_id, fence in held]

    def _claim_of(self, run: MemoryRun) -> Claim:
        return Claim(
            run_id=run.run_id,
            step=run.step,
            fence=run.fence,
            size=run.size,
            task=run.task,
            entries=list(run.log),
            cancel=run.cancel,
            outcome=run.outcome,
            parent=run.parent,
            continuation=run.continuation,
            priority=run.priority,
            watched=self.is_watched(run.run_id),
            spent=self._runs.spent(run),
            pause=run.pause is not None,
        )

    def _take_parent(self, ended: Ended, parent_id: str, taker: Taker | None) -> Ended:
        parent = self._runs.find(parent_id)
        if parent is None or taker is None or parent.outcome or parent.task != taker.task or parent.queue:
            return ended
        is_ours = parent.status == "running" and parent.holder == taker.message_id
        others = [pointer for pointer in ended.pointers if pointer.run_id != parent_id]
        if len(others) == len(ended.pointers) and not is_ours:
            return ended
        self._runs.take(parent, taker.message_id, taker.worker, in_passing=True)
        return Ended(ended.outcome, others, is_done=True, woken=self._claim_of(parent))

    def _renew(self, run_id: str, fence: int) -> Renewal:
        run = self._runs.find(run_id)
        if run is None or run.status != "running" or run.fence != fence:
            return "fenced"
        self._runs.set_deadline(run, self.settings.lease_seconds)
        return "cancel" if run.cancel and run.outcome is None else "held"
