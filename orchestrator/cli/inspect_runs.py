"""Reads from the ledger what `doctor` judges: runs, their deadlines, and the runs that they wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from orchestrator.cli.stuck import Waiting, child_waits, lost_wait
from orchestrator.entries import Invoked
from orchestrator.ledger.base import Ledger, RunSummary

OVERDUE_LIMIT = 1000
RECENT_LIMIT = 200


async def inspect_runs(ledger: Ledger) -> list[Waiting]:
    """The runs whose deadlines come first, and the latest that were submitted."""
    deadlines = dict(await ledger.deadlines(OVERDUE_LIMIT))
    recent = {run.run_id: run for run in await ledger.recent(RECENT_LIMIT)}
    others = await asyncio.gather(*(ledger.summary(run_id) for run_id in deadlines.keys() - recent.keys()))
    runs = [*recent.values(), *(run for run in others if run)]
    return [await _inspect(ledger, run, deadlines.get(run.run_id)) for run in runs]


async def inspect_run(ledger: Ledger, run_id: str) -> tuple[Waiting, str | None] | None:
    """One run, and the worker that claimed it last. `None`: there is no such run."""
    run = await ledger.summary(run_id)
    if run is None:
        return None
    claims = [entry for _, entry in await ledger.entries(run_id) if isinstance(entry, Invoked)]
    waiting = await _inspect(ledger, run, await ledger.deadline(run_id))
    return waiting, claims[-1].worker if claims else None


async def _inspect(ledger: Ledger, run: RunSummary, deadline: float | None) -> Waiting:
    waiting = await _read_others(ledger, run, deadline)
    if lost_wait(waiting) is None:
        return waiting
    # What it waits for may have ended, and woken it, since the run was read.
    again = await ledger.summary(run.run_id)
    if again is None or again.step == run.step:
        return waiting
    return await _read_others(ledger, again, await ledger.deadline(run.run_id))


async def _read_others(ledger: Ledger, run: RunSummary, deadline: float | None) -> Waiting:
    waits = child_waits(run) if run.status == "parked" else {}
    return Waiting(run, deadline, dict(zip(waits, await _summaries(ledger, waits.values()), strict=True)))


async def _summaries(ledger: Ledger, run_ids: Iterable[str]) -> list[RunSummary | None]:
    return list(await asyncio.gather(*map(ledger.summary, run_ids)))
