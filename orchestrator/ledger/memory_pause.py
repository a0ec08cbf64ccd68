"""Pauses in the ledger in memory: flags on a run and on all below its waits."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.ledger import refusals
from orchestrator.ledger.base import Pointer
from orchestrator.ledger.memory_run import MemoryRun, pointers_to
from orchestrator.ledger.memory_runs import MemoryRuns


def pause(runs: MemoryRuns, run_id: str, request_id: str) -> None:
    """Flag the run and all below it."""
    run = runs.find(run_id)
    if run is None:
        raise refusals.unknown(run_id)
    if run.pause == request_id:
        return  # paused before
    if run.outcome or run.cancel:
        raise refusals.misplaced(run_id, "has ended or is being cancelled: there is nothing to pause")
    if run.pause:
        raise refusals.misplaced(run_id, "is paused already")
    for below in _walk(runs, run):
        if not (below.outcome or below.cancel):
            below.pause = below.pause or request_id


def rest(runs: MemoryRuns, run: MemoryRun, now: float) -> list[Pointer]:
    """Park a paused run; queue one that was resumed meanwhile."""
    if not run.pause:
        return [runs.queue(run)]
    run.status, run.holder, run.note, run.is_resting = "parked", None, "paused", True
    ends_at = run.spending.ends_at
    run.deadline = ends_at if ends_at and ends_at > now else None
    return []


def resume(runs: MemoryRuns, run_id: str, request_id: str) -> list[Pointer]:
    """Take the flags away, and wake what rests."""
    run = runs.find(run_id)
    if run is None:
        raise refusals.unknown(run_id)
    if run.resumed == request_id:
        return pointers_to(run)  # resumed before
    if run.outcome or not run.pause:
        state = "has ended: there is nothing to resume" if run.outcome else "is not paused"
        raise refusals.misplaced(run_id, state)
    run.resumed = request_id
    pointers = []
    for below in list(_walk(runs, run)):
        below.pause = None
        if below.status == "parked" and below.is_resting:
            pointers.append(runs.wake(below))
    return pointers


def _walk(runs: MemoryRuns, run: MemoryRun) -> Iterator[MemoryRun]:
    yield run
    for child_id in run.waits.values():
        if child := runs.find(child_id):
            yield from _walk(runs, child)
