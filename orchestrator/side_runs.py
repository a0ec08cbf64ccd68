"""Side runs, carried out in the process that has the run that waits for them."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from orchestrator.answers import typed_output
from orchestrator.engine import Engine, SideRun
from orchestrator.entries import Outcome
from orchestrator.errors import LedgerError, RunNotFound, restore_failure
from orchestrator.ledger.base import NewRun, Pointer
from orchestrator.perform import perform
from orchestrator.submission import new_run
from orchestrator.usage import Usage

logger = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 5.0
"""How often to look for a step that nobody carries out, because the worker that had it has died."""

CarryOut = Callable[[Pointer, str], Awaitable[None]]
"""Moves a queued step on, on a worker of this name, or sends its message."""


class LocalSideRuns:
    """Starts side runs and waits for them, whoever else has started or carries out the same ones.

    In this process, not by a message: with all of a worker's slots taken by runs that wait, no message would be read.
    """

    def __init__(self, engine: Callable[[], Engine], carry_out: CarryOut) -> None:
        self._engine = engine
        self._carry_out = carry_out
        self._under_way: set[asyncio.Task[None]] = set()

    async def answer(self, side_run: SideRun) -> tuple[Any, Usage]:
        """The run's answer, typed, and what it spent. Raises what ended the run otherwise."""
        engine = self._engine()
        new = new_run(
            side_run.agent,
            side_run.given,
            run_id=side_run.run_id,
            settings=engine.settings,
            context=side_run.context,
            options=side_run.options,
        )
        new = replace(new, tenant="")  # whose turn it is was settled when the waiting run began
        pointer = await engine.ledger.start(new)
        carried = None if pointer is None else self._begin(pointer, side_run.worker)
        outcome = await self._wait(engine, new, side_run.worker, carried)
        if outcome.kind != "answer":
            error = outcome.error or {"type": "RunFailed", "message": "unknown"}
            raise restore_failure(error, run_id=new.run_id)
        return typed_output(outcome, engine.registry), outcome.usage

    async def cancel(self, run_id: str, worker: str) -> None:
        """Stop the run, if it has not ended."""
        for pointer in await self._engine().ledger.cancel(run_id):
            self._begin(pointer, worker)

    async def _wait(self, engine: Engine, new: NewRun, worker: str, carried: asyncio.Task[None] | None) -> Outcome:
        while True:
            carried = carried or await self._take_up(engine, new, worker)
            try:
                async with asyncio.timeout(LOOK_AGAIN_SECONDS):
                    outcome = await engine.ledger.wait_for_outcome(new.run_id)
            except TimeoutError:
                if carried is not None and carried.done():
                    carried.result()
                    carried = None
                continue
            if outcome is None:
                raise RunNotFound(f"There is no run {new.run_id!r}: it is past its retention.", run_id=new.run_id)
            return outcome

    async def _take_up(self, engine: Engine, new: NewRun, worker: str) -> asyncio.Task[None] | None:
        """Carry the run out if it is in a queue, unless that is one of its active agent's own."""
        summary = await engine.ledger.summary(new.run_id)
        if summary is None or summary.status != "queued":
            return None
        active = engine.registry.find(summary.agent)
        if active is None or active.queue is not None:
            return None
        return self._begin(Pointer(new.run_id, summary.step, active.task_name), worker)

    def _begin(self, pointer: Pointer, worker: str) -> asyncio.Task[None]:
        """Carry the step out in a task of its own: that the waiting run is interrupted is no reason to stop it."""
        task = asyncio.ensure_future(self._safely(pointer, worker))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def _safely(self, pointer: Pointer, worker: str) -> None:
        try:
            await self._carry_out(pointer, worker)
        except LedgerError as error:
            logger.warning("Run %s is taken up again, because the ledger was away: %s", pointer.run_id, error)


def carry_out_here(engine: Callable[[], Engine], publish: Callable[[Sequence[Pointer]], None]) -> CarryOut:
    """Performs steps in this process. Those of agents with a queue of their own, and what follows, are published."""

    async def carry_out(pointer: Pointer, worker: str) -> None:
        if pointer.queue is not None:
            await _try_to_publish(publish, [pointer])
            return
        message_id = f"beside/{uuid.uuid4()}"
        performed = await perform(engine(), pointer.run_id, pointer.step, message_id=message_id, worker=worker)
        await _try_to_publish(publish, performed.pointers)
        for claim in performed.to_close:
            await engine().ledger.close(claim)

    return carry_out


async def _try_to_publish(publish: Callable[[Sequence[Pointer]], None], pointers: Sequence[Pointer]) -> None:
    if not pointers:
        return
    try:
        await asyncio.to_thread(publish, pointers)
    except Exception:
        names = [pointer.run_id for pointer in pointers]
        logger.exception("Publishing runs %s failed. They are queued, and a worker will publish them.", names)
