"""One worker on a ledger in memory, whose messages the test hands over itself."""

from __future__ import annotations

from typing import Any

from orchestrator import Agent, Flow
from orchestrator.cli.follow import read_events
from orchestrator.cli.tree import RunNode, fold_events
from orchestrator.engine import Engine
from orchestrator.entries import RunOptions
from orchestrator.ledger.memory import MemoryLedger
from orchestrator.perform import perform
from orchestrator.registry import Registry
from orchestrator.renewer import Renewer
from orchestrator.settings import Settings
from orchestrator.submission import new_run
from orchestrator.testing import ScriptedModel


def agent(name: str, *replies: str) -> Agent[Any]:
    return Agent(name, model=ScriptedModel(list(replies)))


class Process:
    """The worker."""

    def __init__(self, flow: Flow, tasks: Any = None, ledger: MemoryLedger | None = None) -> None:
        self.ledger = ledger or MemoryLedger()
        registry = Registry()
        registry.add([flow])
        self.engine = Engine(self.ledger, registry, Settings(), Renewer(self.ledger), tasks=tasks)

    async def submit(self, flow: Flow, text: str, **options: Any) -> Any:
        new = new_run(flow, text, run_id="run", settings=self.engine.settings, options=RunOptions(**options))
        return await self.ledger.start(new)

    async def perform(self, pointer: Any) -> Any:
        """One message, as a worker's task performs it."""
        performed = await perform(
            self.engine, pointer.run_id, pointer.step, message_id=f"{pointer.run_id}.{pointer.step}", worker="w"
        )
        return performed, performed.pointers

    async def tree(self) -> RunNode:
        return fold_events("run", await read_events(self.ledger, "run"))
