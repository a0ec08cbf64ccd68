"""Sessions in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from orchestrator.entries import Item, SessionHistory
from orchestrator.ledger import refusals
from orchestrator.ledger.base import Claim, LedgerSettings, NewRun, Pointer
from orchestrator.ledger.memory_run import MemoryRun, pointers_to
from orchestrator.ledger.memory_runs import MemoryRuns
from orchestrator.ledger.sessions import RUNS_KEPT, Joining, SessionLedger, SessionRecord


@dataclass
class _Session:
    """One conversation."""

    name: str
    updated_at: float
    expires_at: float | None = None
    floor: str | None = None
    line: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    task: str | None = None
    queue: str | None = None
    edition: int = 0
    exchanges: list[str] = field(default_factory=list)
    """As JSON, so that nobody's list is shared."""


class MemorySessions(SessionLedger):
    """The part of the ledger in memory that keeps sessions."""

    settings: LedgerSettings
    _runs: MemoryRuns
    _clock: Callable[[], float]
    _sessions: dict[str, _Session]

    # ---- parts of scripts -----------------------------------------------------------------------

    def _join(self, new: NewRun, joining: Joining) -> list[Pointer]:
        session = self._open(joining.session)
        holder = self._floor_holder(session)
        if holder and joining.if_busy == "reject":
            raise refusals.busy(joining.session, holder)
        run = self._runs.create(new)
        session.runs = [*session.runs, run.run_id][-RUNS_KEPT:]
        run.status, run.in_line = "parked", True
        session.line.insert(0 if joining.if_busy == "interrupt" else len(session.line), run.run_id)
        return self._look_after_line(run)

    def _look_after_line(self, run: MemoryRun) -> list[Pointer]:
        assert run.joining is not None
        ends_at, now = run.spending.ends_at, self._clock()
        if ends_at is not None and ends_at <= now:
            return [self._runs.wake(run)]
        run.deadline = min(now + self.settings.max_grace_seconds, ends_at or float("inf"))
        return self._move_line(self._open(run.joining.session))

    def _leave(self, run: MemoryRun, exchange: Sequence[Item]) -> list[Pointer]:
        if run.joining is None:
            return []
        session = self._open(run.joining.session)
        if session.floor != run.run_id:
            session.line = [run_id for run_id in session.line if run_id != run.run_id]
            holder = self._runs.find(session.floor) if session.floor else None
            return pointers_to(holder) if holder else []
        if run.joining.compacts:
            self._compact(session, run, exchange)
        elif exchange:
            session.exchanges.append(json.dumps(list(exchange)))
            session.task, session.queue = run.task, run.queue
        session.floor = None
        return self._move_line(session)

    def _move_line(self, session: _Session) -> list[Pointer]:
        pointers: list[Pointer] = []
        while not self._floor_holder(session):
            session.floor = None
            if not session.line:
                break
            run = self._runs.find(session.line.pop(0))
            if run and run.status == "parked" and run.in_line:
                pointers.append(self._give_floor(session, run))
        self._keep(session)
        return pointers

    def _give_floor(self, session: _Session, run: MemoryRun) -> Pointer:
        joining = run.joining
        assert joining is not None
        keep, agent = joining.keep_last, ""
        if joining.keeps_agent and session.task:
            run.task, run.queue, agent = session.task, session.queue, session.task.partition(".")[2]
        if joining.compacts:
            given = session.exchanges[: max(0, len(session.exchanges) - (keep or 0))]
            run.compacted, run.edition = len(given), session.edition
        else:
            given = session.exchanges if keep is None else session.exchanges[-keep:]
        items = [item for exchange in given for item in json.loads(exchange)]
        entry = SessionHistory(session=session.name, agent=agent, compacts=joining.compacts, items=items)
        self._runs.add_entry(run, entry)
        session.floor, run.in_line = run.run_id, False
        return self._runs.queue(run)

    def _compact(self, session: _Session, run: MemoryRun, summary: Sequence[Item]) -> None:
        if summary and run.compacted and run.edition == session.edition:
            session.exchanges = [json.dumps(list(summary)), *session.exchanges[run.compacted :]]

    # ---- the interface --------------------------------------------------------------------------

    async def leave_session(self, claim: Claim, exchange: Sequence[Item]) -> list[Pointer]:
        run = self._runs.find_held(claim)
        if run.outcome is None:
            raise refusals.unfinished(run.run_id)
        return self._leave(run, exchange)

    async def session(self, session: str) -> SessionRecord | None:
        found = self._find(session)
        if found is None:
            return None
        return SessionRecord(
            session=session,
            floor=found.floor,
            line=list(found.line),
            runs=list(found.runs),
            task=found.task,
            exchanges=len(found.exchanges),
            updated_at=found.updated_at,
        )

    async def exchanges(self, session: str, last: int | None = None) -> list[list[Item]]:
        found = self._find(session)
        texts = found.exchanges if found else []
        return [json.loads(text) for text in (texts if last is None else texts[-last:])]

    async def add_exchange(self, session: str, items: Sequence[Item]) -> None:
        self._edit(session).exchanges.append(json.dumps(list(items)))

    async def pop_exchange(self, session: str) -> list[Item] | None:
        found = self._edit(session)
        popped: list[Item] | None = json.loads(found.exchanges.pop()) if found.exchanges else None
        return popped

    async def clear_session(self, session: str) -> None:
        found = self._edit(session)
        found.exchanges, found.task, found.queue = [], None, None

    # ---- parts ------------------------------------------------------------------------------

    def _edit(self, session: str) -> _Session:
        found = self._open(session)
        found.edition += 1
        self._keep(found)
        return found

    def _keep(self, session: _Session) -> None:
        session.updated_at = self._clock()
        is_idle = self._floor_holder(session) is None
        session.expires_at = session.updated_at + self.settings.session_retention_seconds if is_idle else None

    def _open(self, session: str) -> _Session:
        return self._find(session) or self._sessions.setdefault(session, _Session(session, self._clock()))

    def _find(self, session: str) -> _Session | None:
        found = self._sessions.get(session)
        if found and found.expires_at is not None and found.expires_at <= self._clock():
            del self._sessions[session]
            return None
        return found

    def _floor_holder(self, session: _Session) -> str | None:
        run = self._runs.find(session.floor) if session.floor else None
        return run.run_id if run and run.status != "done" else None
