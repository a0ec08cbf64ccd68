"""What a producer holds: a client that submits runs, and a handle for each."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, Unpack

from orchestrator.answers import typed_output
from orchestrator.entries import Outcome
from orchestrator.errors import RunNotFound
from orchestrator.gathering_publisher import GatheringPublisher
from orchestrator.handover import not_loaded
from orchestrator.joining import find_summariser, interrupt_floor, is_to_be_summed_up, summary_run, with_live_agent
from orchestrator.ledger.base import AgentRecord, Ledger, NewRun, Pointer, RunSummary
from orchestrator.ledger.sessions import IfBusy, Joining
from orchestrator.loop import background
from orchestrator.queue_finder import QueueFinder
from orchestrator.registry import Registry
from orchestrator.retry import check_retry, retry_run, who_goes_on
from orchestrator.run import Run
from orchestrator.run_options import OptionKeywords, make_options, refuse_answer_at_limit, refuse_passed_deadline
from orchestrator.runnable import Runnable
from orchestrator.session import Compaction, Session
from orchestrator.settings import Settings
from orchestrator.submission import new_run

logger = logging.getLogger(__name__)


class Publisher(Protocol):
    """Sends the messages that pointers stand for."""

    def publish(self, pointers: Sequence[Pointer]) -> None:
        """Send them now. Raises what the broker raises; the ledger publishes again after a grace."""


class Client:
    """Submits runs and finds them again. Safe to use from any thread and any event loop."""

    def __init__(
        self, ledger: Callable[[], Ledger], publisher: Publisher, registry: Registry, settings: Settings
    ) -> None:
        self._ledger = ledger
        self._publisher = publisher
        self._registry = registry
        self._settings = settings
        self._queues = QueueFinder(ledger, registry)
        self._gathering = GatheringPublisher(self.publish)

    @property
    def ledger(self) -> Ledger:
        """The ledger, for use on the background loop only."""
        return self._ledger()

    @property
    def registry(self) -> Registry:
        """The agents that this process has loaded."""
        return self._registry

    def submit(self, target: Runnable | str, input: Any, **options: Any) -> Run:
        """Start a run of an agent or flow, or of the one that workers have registered under a name.

        Raises `SubmitError`, and `AgentNotLoaded` for a name that is new to all workers, unless a `queue` is given,
        where a worker that knows it is about to come.
        """
        name = self._name_elsewhere(target)
        record = background.run(self._find_elsewhere(name, options.get("queue"))) if name else None
        return background.run(self._submit(self._prepare(target, input, record, **options), _compaction(options)))

    async def asubmit(self, target: Runnable | str, input: Any, **options: Any) -> Run:
        """`submit` for async code."""
        name = self._name_elsewhere(target)
        record = await background.arun(self._find_elsewhere(name, options.get("queue"))) if name else None
        return await background.arun(
            self._submit(self._prepare(target, input, record, **options), _compaction(options))
        )

    def run(self, run_id: str) -> Run:
        """The handle of a run that somebody submitted."""
        return Run(run_id, self)

    def session(self, session_id: str, *, keep_last: int | None = None, compact: Compaction | None = None) -> Session:
        """The handle of a conversation. `keep_last`: exchanges that its runs are given; `compact`: how to sum it up.

        Raises `InvalidInput` for an id that cannot be one.
        """
        return Session(session_id, self, keep_last=keep_last, compact=compact)

    def cancel(self, run_ids: Sequence[str], reason: str | None = None) -> None:
        """Cancel several runs, all at once: see `Run.cancel`."""
        background.run(self._cancel(run_ids, reason))

    async def _cancel(self, run_ids: Sequence[str], reason: str | None) -> None:
        await asyncio.gather(*(Run(run_id, self).acancel(reason) for run_id in run_ids))

    async def retry(self, run_id: str, *, from_turn: int | None, **options: Unpack[OptionKeywords]) -> Run:
        """`Run.aretry`, on the background loop."""
        summary = await self.ledger.summary(run_id)
        if summary is None:
            raise RunNotFound(f"There is no run {run_id!r}: never submitted, or past its retention.", run_id=run_id)
        entries = [entry for _, entry in await self.ledger.entries(run_id)]
        first = check_retry(summary, entries, from_turn)
        old = first.options.model_copy(update={"expires_at": None, "deadline_at": None})
        given: OptionKeywords = {**options, "run_options": options.get("run_options") or old}
        chosen = refuse_answer_at_limit(refuse_passed_deadline(make_options(**given)), summary.task)
        queue = await self._queue_of(who_goes_on(summary, entries, from_turn))
        new = retry_run(summary, entries, from_turn=from_turn, options=chosen, queue=queue)
        await self._start(new)
        return Run(new.run_id, self)

    async def _queue_of(self, name: str) -> str | None:
        found = self._registry.find(name)
        record = None if found else await self._find_elsewhere(name, None)
        return found.queue if found else record.queue if record else None

    def recent(self, limit: int = 20, *, tag: str | None = None) -> list[RunSummary]:
        """The latest submitted runs, newest first; with a tag, only those that have it."""
        return background.run(self.ledger.recent(limit, tag=tag))

    def typed(self, outcome: Outcome) -> Any:
        """The answer as its agent's output type, where that agent is loaded here; else as JSON."""
        return typed_output(outcome, self._registry)

    async def address(self, pointers: Sequence[Pointer]) -> list[Pointer]:
        """The pointers, with the queue of what is loaded elsewhere alone. On the background loop."""
        return await self._queues.address(pointers)

    async def send(self, pointers: Sequence[Pointer]) -> None:
        """Address the messages of queued steps and send them, from any event loop."""
        await background.arun(self._send(pointers))

    async def _send(self, pointers: Sequence[Pointer]) -> None:
        await self._gathering.publish(await self.address(pointers))

    def publish(self, pointers: Sequence[Pointer]) -> None:
        """Send the messages of queued steps."""
        if pointers:
            self._publisher.publish(pointers)

    def _prepare(
        self,
        target: Runnable | str,
        input: Any,
        record: AgentRecord | None,
        *,
        context: Any = None,
        run_id: str | None = None,
        queue: str | None = None,
        session: Session | str | None = None,
        if_busy: IfBusy = "queue",
        keep_agent: bool = True,
        **options: Unpack[OptionKeywords],
    ) -> NewRun:
        found = (self._registry.find(target) or target) if isinstance(target, str) else target
        return new_run(
            found,
            input,
            run_id=run_id or str(uuid.uuid4()),
            settings=self._settings,
            context=context,
            options=refuse_passed_deadline(make_options(**options)),
            queue=queue or (record.queue if record else None),
            task=record.task if record else None,
            joining=None if session is None else _joining(session, if_busy, keep_agent),
        )

    async def _submit(self, new: NewRun, compaction: Compaction | None) -> Run:
        if new.joining is None:
            await self._start(new)
        else:
            await self._join(new, new.joining, compaction)
        return Run(new.run_id, self)

    async def _join(self, new: NewRun, joining: Joining, compaction: Compaction | None) -> None:
        ledger, registry = self.ledger, self._registry
        record = await ledger.session(joining.session)
        new = await with_live_agent(new, joining, record, ledger, registry)
        queue = await find_summariser(compaction, joining.session, ledger, registry) if compaction else None
        await self._start(new)
        if joining.if_busy == "interrupt":
            await self._try_to_send(await interrupt_floor(new.run_id, joining.session, ledger))
        if compaction and is_to_be_summed_up(record, compaction):
            await self._start(summary_run(new, joining, compaction, queue, registry, self._settings))

    async def _start(self, new: NewRun) -> None:
        pointer = await self.ledger.start(new)
        await self._try_to_send([] if pointer is None else [pointer])

    async def _try_to_send(self, pointers: Sequence[Pointer]) -> None:
        """They are in the ledger: if the broker is away, a worker publishes them when their deadline passes."""
        try:
            await self._send(pointers)
        except Exception:
            names = [pointer.run_id for pointer in pointers]
            logger.exception("Publishing runs %s failed. They are queued; a worker will publish them.", names)

    def _name_elsewhere(self, target: Runnable | str) -> str | None:
        """The name of an agent or flow that is not loaded here."""
        return target if isinstance(target, str) and self._registry.find(target) is None else None

    async def _find_elsewhere(self, name: str, queue: str | None) -> AgentRecord | None:
        """Where an agent or flow is loaded, or was: its run waits until a worker has it again."""
        records = await self.ledger.loaded()
        tasks = (f"agents.{name}", f"flows.{name}")
        record = next((record for record in records if record.task in tasks), None)
        if record is None and queue is None and any(record.is_live for record in records):
            raise not_loaded(f"A run was submitted to `{name}`", name, records)
        return record


def _joining(session: Session | str, if_busy: IfBusy, keep_agent: bool) -> Joining:
    if isinstance(session, Session):
        return Joining(session.id, if_busy=if_busy, keeps_agent=keep_agent, keep_last=session.keep_last)
    return Joining(session, if_busy=if_busy, keeps_agent=keep_agent)


def _compaction(options: Mapping[str, Any]) -> Compaction | None:
    session = options.get("session")
    return session.compact if isinstance(session, Session) else None
