"""An app whose workers are this process: the engine on a memory ledger, for tests of what is above them."""

from __future__ import annotations

import asyncio
import types
import uuid
from collections.abc import Sequence
from typing import Any, cast

from orchestrator.agent import Agent
from orchestrator.celery.runtime import Orchestrator
from orchestrator.cli.apps import LoadedApp
from orchestrator.client import Client
from orchestrator.engine import Engine
from orchestrator.ledger.base import AgentRecord, Pointer
from orchestrator.ledger.limits import LimitStore
from orchestrator.ledger.limits_memory import MemoryLimitStore
from orchestrator.ledger.memory import MemoryLedger
from orchestrator.limiter import Limiter
from orchestrator.limits import Limit
from orchestrator.loop import background
from orchestrator.perform import perform
from orchestrator.registry import Registry
from orchestrator.renewer import Renewer
from orchestrator.run import Run
from orchestrator.runnable import Runnable
from orchestrator.session import Session
from orchestrator.settings import Settings
from orchestrator.side_runs import LocalSideRuns, carry_out_here


class InProcess:
    """What `Orchestrator` is on Celery. Messages are performed at once, unless it `is_busy`."""

    def __init__(self, agents: Sequence[Runnable], *, limits: Sequence[Limit] = (), is_busy: bool = False) -> None:
        self.settings = Settings(limits=tuple(limits))
        self.registry = Registry()
        self.registry.add(agents)
        self.ledger = MemoryLedger()
        self.client = Client(lambda: self.ledger, self, self.registry, self.settings)
        self._limits = MemoryLimitStore()
        limiter = Limiter(self._limits, limits, self.ledger.hasten) if limits else None
        self._engine = Engine(
            self.ledger,
            self.registry,
            self.settings,
            Renewer(self.ledger),
            limiter=limiter,
            side_runs=LocalSideRuns(lambda: self._engine, carry_out_here(lambda: self._engine, self.publish)),
        )
        self._is_busy = is_busy

    def submit(self, agent: Agent[Any] | str, input: Any, **options: Any) -> Run:
        """Start a run."""
        return self.client.submit(agent, input, **options)

    def run(self, run_id: str) -> Run:
        """A run's handle."""
        return self.client.run(run_id)

    def session(self, session_id: str) -> Session:
        """A conversation's handle."""
        return self.client.session(session_id)

    def limit_store(self) -> LimitStore:
        """Where limits are kept."""
        return self._limits

    def publish(self, pointers: Sequence[Pointer]) -> None:
        """Perform the steps on the background loop."""
        for pointer in pointers:
            if not self._is_busy:
                asyncio.run_coroutine_threadsafe(self._perform(pointer), background.loop)

    def announce(self, task: str, *, worker: str, queue: str | None = None) -> None:
        """A worker says that it has loaded a task."""
        record = AgentRecord(task, "elsewhere", queue, worker, background.loop.time())
        background.run(self.ledger.announce([record], expire_seconds=1e12))

    def as_loaded(self) -> LoadedApp:
        """What `-A` leads to."""
        return LoadedApp("shop:app", object(), types.ModuleType("shop"), cast(Orchestrator, self))

    async def _perform(self, pointer: Pointer) -> None:
        performed = await perform(
            self._engine, pointer.run_id, pointer.step, message_id=str(uuid.uuid4()), worker="here@host"
        )
        self.publish(performed.pointers)
        if performed.kind == "ended" and performed.claim is not None:
            await self.ledger.close(performed.claim)
