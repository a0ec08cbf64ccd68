"""What is asked for while a publish is under way goes together, and each who asked hears what came of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from orchestrator.gathering_publisher import GatheringPublisher
from orchestrator.ledger.base import Pointer


class Broker:
    """Takes messages when it is let."""

    def __init__(self) -> None:
        self.sent: list[list[str]] = []
        self.is_open = threading.Event()
        self.failure: Exception | None = None

    def publish(self, pointers: Sequence[Pointer]) -> None:
        """Blocks until the broker is open."""
        self.sent.append([pointer.run_id for pointer in pointers])
        assert self.is_open.wait(10)
        if self.failure:
            raise self.failure


@pytest.fixture
def broker() -> Broker:
    return Broker()


async def ask(publisher: GatheringPublisher, *names: str) -> list[asyncio.Task[None]]:
    """For each name, somebody asks; the first one's publish begins before the others ask."""
    tasks = []
    for name in names:
        tasks.append(asyncio.create_task(publisher.publish([Pointer(name, 1, "agents.a")])))
        await asyncio.sleep(0.02 if len(tasks) == 1 else 0)
    return tasks


async def test_what_gathers_meanwhile_is_one_publish(broker: Broker) -> None:
    tasks = await ask(GatheringPublisher(broker.publish), "a", "b", "c")
    assert broker.sent == [["a"]]

    broker.is_open.set()
    await asyncio.gather(*tasks)

    assert broker.sent == [["a"], ["b", "c"]]


async def test_failure_reaches_all_whose_messages_went_together(broker: Broker) -> None:
    broker.failure = ConnectionError("away")
    tasks = await ask(GatheringPublisher(broker.publish), "a", "b", "c")

    broker.is_open.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)

    assert results == [broker.failure] * 3


async def test_one_who_no_longer_asks_disturbs_nobody(broker: Broker) -> None:
    publisher = GatheringPublisher(broker.publish)
    first, second, third = await ask(publisher, "a", "b", "c")

    first.cancel()
    second.cancel()
    broker.is_open.set()
    await third

    assert broker.sent == [["a"], ["b", "c"]]


async def test_it_begins_again_after_a_pause(broker: Broker) -> None:
    broker.is_open.set()
    publisher = GatheringPublisher(broker.publish)

    for name in ("a", "b"):
        await publisher.publish([Pointer(name, 1, "agents.a")])
    await publisher.publish([])

    assert broker.sent == [["a"], ["b"]]


def test_another_loop_does_not_wait_for_the_first_ones_publish(broker: Broker) -> None:
    """As in a forked child, whose parent was publishing."""
    publisher = GatheringPublisher(broker.publish)
    first = asyncio.new_event_loop()
    [left] = first.run_until_complete(ask(publisher, "a"))

    async def publish_there() -> None:
        task = asyncio.create_task(publisher.publish([Pointer("b", 1, "agents.a")]))
        await asyncio.sleep(0.02)
        broker.is_open.set()
        await task

    asyncio.run(publish_there())

    assert broker.sent == [["a"], ["b"]]
    first.run_until_complete(left)
    first.close()
