"""Steps of what other processes have loaded are sent to where those read."""

from __future__ import annotations

import pytest

from orchestrator.agent import Agent
from orchestrator.errors import LedgerUnavailable
from orchestrator.ledger.base import AgentRecord, Pointer
from orchestrator.ledger.memory import MemoryLedger
from orchestrator.queue_finder import KNOWN_SECONDS, QueueFinder
from orchestrator.registry import Registry

AWAY = Pointer("run", 2, "agents.away")


class Directory(MemoryLedger):
    """A ledger that counts who asks what workers have loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.is_away = False
        self.now = 0.0

    async def loaded(self) -> list[AgentRecord]:
        self.asked += 1
        if self.is_away:
            raise LedgerUnavailable("gone")
        return await super().loaded()

    async def move(self, queue: str) -> None:
        """The worker that has the agent reads this queue now."""
        record = AgentRecord("agents.away", "module", queue, "worker@host", 0.0)
        await self.announce([record], expire_seconds=1e12)


@pytest.fixture
def directory() -> Directory:
    return Directory()


@pytest.fixture
def finder(directory: Directory) -> QueueFinder:
    registry = Registry()
    registry.add([Agent("here")])
    return QueueFinder(lambda: directory, registry, clock=lambda: directory.now)


async def test_step_of_an_agent_that_is_loaded_elsewhere_goes_to_its_queue(
    directory: Directory, finder: QueueFinder
) -> None:
    await directory.move("far")

    [pointer] = await finder.address([AWAY])

    assert pointer == Pointer("run", 2, "agents.away", queue="far")


async def test_what_is_loaded_here_or_has_a_queue_is_not_looked_up(directory: Directory, finder: QueueFinder) -> None:
    pointers = [Pointer("run", 1, "agents.here"), Pointer("run", 1, "agents.away", queue="given")]

    assert await finder.address(pointers) == pointers
    assert directory.asked == 0


async def test_what_workers_said_is_believed_for_some_seconds(directory: Directory, finder: QueueFinder) -> None:
    await directory.move("first")
    await finder.address([AWAY])
    await directory.move("second")

    directory.now = KNOWN_SECONDS - 1
    [believed] = await finder.address([AWAY])
    directory.now = KNOWN_SECONDS + 1
    [looked_up] = await finder.address([AWAY])

    assert (believed.queue, looked_up.queue, directory.asked) == ("first", "second", 2)


async def test_step_is_sent_as_it_is_where_nobody_knows_better(directory: Directory, finder: QueueFinder) -> None:
    assert await finder.address([AWAY]) == [AWAY]

    directory.is_away, directory.now = True, KNOWN_SECONDS + 1

    assert await finder.address([AWAY]) == [AWAY]
