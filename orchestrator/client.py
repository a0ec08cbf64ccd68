"""What a producer holds: a client that submits runs, and a handle for each."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from orchestrator.agent import Agent
from orchestrator.answers import typed_output
from orchestrator.entries import Outcome, RunOptions
from orchestrator.errors import ResultTimeout, RunNotFound, restore_error
from orchestrator.events import Event, follow_run
from orchestrator.handover import not_loaded
from orchestrator.ledger.base import Ledger, NewRun, Pointer, RunSummary, Status
from orchestrator.loop import background
from orchestrator.registry import Registry
from orchestrator.settings import Settings
from orchestrator.submission import new_run


class Publisher(Protocol):
    """Sends the message that a pointer stands for."""

    def publish(self, pointer: Pointer) -> None:
        """Send it now. Raises what the broker raises; the ledger publishes again after a grace."""


class Client:
    """Submits runs and finds them again. Safe to use from any thread and any event loop."""

    def __init__(
        self, ledger: Callable[[], Ledger], publisher: Publisher, registry: Registry, settings: Settings
    ) -> None:
        self._ledger = ledger
        self._publisher = publisher
        self._registry = registry
        self._settings = settings

    @property
    def ledger(self) -> Ledger:
        """The ledger, for use on the background loop only."""
        return self._ledger()

    def submit(self, target: Agent[Any] | str, input: Any, **options: Any) -> Run:
        """Start a run of an agent, or of the agent that workers have registered under a name.

        Raises `SubmitError`, and `AgentNotLoaded` for a name that is new to all workers, unless a `queue` is given,
        where a worker that knows it is about to come.
        """
        return background.run(self._submit(target, self._prepare(target, input, **options)))

    async def asubmit(self, target: Agent[Any] | str, input: Any, **options: Any) -> Run:
        """`submit` for async code."""
        return await background.arun(self._submit(target, self._prepare(target, input, **options)))

    def run(self, run_id: str) -> Run:
        """The handle of a run that somebody submitted."""
        return Run(run_id, self)

    def recent(self, limit: int = 20) -> list[RunSummary]:
        """The latest submitted runs, newest first."""
        return background.run(self.ledger.recent(limit))

    def typed(self, outcome: Outcome) -> Any:
        """The answer as its agent's output type, where that agent is loaded here; else as JSON."""
        return typed_output(outcome, self._registry)

    def publish(self, pointers: list[Pointer]) -> None:
        """Send the messages of queued steps."""
        for pointer in pointers:
            self._publisher.publish(pointer)

    def _prepare(
        self,
        target: Agent[Any] | str,
        input: Any,
        *,
        context: Any = None,
        run_id: str | None = None,
        max_turns: Any = ...,
        queue: str | None = None,
        priority: int | None = None,
        expires: float | datetime | None = None,
        run_options: RunOptions | Mapping[str, Any] | None = None,
    ) -> NewRun:
        agent = self._registry.agents.get(target, target) if isinstance(target, str) else target
        return new_run(
            agent,
            input,
            run_id=run_id or str(uuid.uuid4()),
            settings=self._settings,
            context=context,
            max_turns=max_turns,
            run_options=run_options,
            expires=expires,
            queue=queue,
            priority=priority,
        )

    async def _submit(self, target: Agent[Any] | str, new: NewRun) -> Run:
        if isinstance(target, str) and target not in self._registry.agents and new.queue is None:
            new = replace(new, queue=await self._find_queue(target))
        pointer = await self.ledger.start(new)
        if pointer is not None:
            await asyncio.to_thread(self._publisher.publish, pointer)
        return Run(new.run_id, self)

    async def _find_queue(self, name: str) -> str | None:
        """The queue of an agent that is loaded elsewhere, or was: its run waits until a worker has it again."""
        records = await self.ledger.loaded()
        record = next((record for record in records if record.task == f"agents.{name}"), None)
        if record is None and any(record.is_live for record in records):
            raise not_loaded(f"A run was submitted to agent `{name}`", name, records)
        return record.queue if record else None


class Run:
    """A handle on one run: whoever has the id can make one. `await run` gives the result."""

    def __init__(self, run_id: str, client: Client) -> None:
        self.id = run_id
        self._client = client

    def __repr__(self) -> str:
        return f"Run({self.id!r})"

    def status(self) -> Status:
        """`queued`, `running`, `parked` (waits, holding no worker) or `done`. Raises `RunNotFound`."""
        return self.summary().status

    def summary(self) -> RunSummary:
        """Status, active agent, usage, outcome. Raises `RunNotFound`."""
        return background.run(self.asummary())

    async def asummary(self) -> RunSummary:
        """`summary` for async code."""
        summary = await background.arun(self._client.ledger.summary(self.id))
        if summary is None:
            raise RunNotFound(f"There is no run {self.id!r}: never submitted, or past its retention.", run_id=self.id)
        return summary

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the answer: text, or an instance of the output type (JSON if the agent is not loaded here).

        Raises `RunFailed` or what else ended the run; `ResultTimeout` after `timeout` seconds; `RunNotFound`.
        """
        return background.run(self._result(timeout))

    async def aresult(self, timeout: float | None = None) -> Any:
        """`result` for async code."""
        return await background.arun(self._result(timeout))

    def __await__(self) -> Generator[Any, None, Any]:
        return self.aresult().__await__()

    def cancel(self) -> None:
        """Stop the run and all that it waits for. What has happened stays in the ledger."""
        pointers = background.run(self._client.ledger.cancel(self.id))
        self._client.publish(pointers)

    def events(self, *, children: bool = True) -> Iterator[Event]:
        """Every event, past and to come, until the run has ended. Raises `RunNotFound`."""
        stream = follow_run(self._client.ledger, self.id, children=children)
        while True:
            event = background.run(_next(stream))
            if event is None:
                return
            yield event

    async def aevents(self, *, children: bool = True) -> AsyncIterator[Event]:
        """`events` for async code."""
        stream = follow_run(self._client.ledger, self.id, children=children)
        while (event := await background.arun(_next(stream))) is not None:
            yield event

    async def _result(self, timeout: float | None) -> Any:
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            async with asyncio.timeout(None if deadline is None else max(0.0, deadline - time.monotonic())):
                outcome = await self._outcome()
        except TimeoutError:
            raise ResultTimeout(
                f"Run {self.id} has not ended within {timeout:g} seconds. It goes on: ask again, or cancel() it.",
                run_id=self.id,
            ) from None
        if outcome.kind == "answer":
            return self._client.typed(outcome)
        raise restore_error(outcome.error or {"type": "RunFailed", "message": "unknown"}, run_id=self.id)

    async def _outcome(self) -> Outcome:
        summary = await self.asummary()
        if summary.outcome is not None:
            return summary.outcome
        async for event in follow_run(self._client.ledger, self.id, children=False):
            if isinstance(event.entry, Outcome):
                return event.entry
        raise AssertionError("a run's events end with its outcome")


async def _next(stream: AsyncIterator[Event]) -> Event | None:
    return await anext(stream, None)
