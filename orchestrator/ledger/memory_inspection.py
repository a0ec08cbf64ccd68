"""What people look at in the ledger in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from orchestrator.ledger.base import AgentRecord, RunSummary
from orchestrator.ledger.directory import Announcement, select_records
from orchestrator.ledger.inspection import Inspection
from orchestrator.ledger.memory_runs import MemoryRuns
from orchestrator.risks import Risk


class MemoryInspection(Inspection):
    """Looks at the runs of this process."""

    def __init__(self, runs: MemoryRuns, clock: Callable[[], float]) -> None:
        self._runs = runs
        self._clock = clock
        self._announced: dict[tuple[str, str], Announcement] = {}

    async def recent(self, limit: int, *, tag: str | None = None) -> list[RunSummary]:
        found = [run for run in self._runs.all() if run.parent is None and (tag is None or tag in run.options.tags)]
        return [run.summary() for run in found[::-1][:limit]]

    async def deadlines(self, limit: int) -> list[tuple[str, float]]:
        found = [(run.deadline, run.run_id) for run in self._runs.all() if run.deadline]
        return [(run_id, deadline) for deadline, run_id in sorted(found)[:limit]]

    async def deadline(self, run_id: str) -> float | None:
        run = self._runs.find(run_id)
        return run.deadline if run else None

    async def announce(self, records: Sequence[AgentRecord], *, expire_seconds: float) -> None:
        self._announced |= {(record.task, record.worker): (record, expire_seconds) for record in records}

    async def loaded(self) -> list[AgentRecord]:
        return select_records(self._announced.values(), self._clock())

    async def risks(self) -> list[Risk]:
        return []

    async def ping(self) -> None:
        """Memory is always there."""
