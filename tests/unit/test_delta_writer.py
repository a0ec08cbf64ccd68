"""Replies are published while they are written, in batches, and never at the run's cost."""

from __future__ import annotations

import asyncio

from orchestrator.agent import Agent
from orchestrator.delta import Delta
from orchestrator.delta_writer import BATCH_SECONDS, DeltaWriter
from orchestrator.engine import Engine
from orchestrator.entries import RunOptions
from orchestrator.errors import LedgerUnavailable, ModelUnavailable
from orchestrator.ledger.live import START
from orchestrator.ledger.memory import MemoryLedger
from orchestrator.models.base import ModelReply, ModelRequest, OnDelta
from orchestrator.perform import perform
from orchestrator.registry import Registry
from orchestrator.renewer import Renewer
from orchestrator.settings import Settings
from orchestrator.submission import new_run
from orchestrator.testing import text_message
from orchestrator.usage import Usage


class SlowLedger(MemoryLedger):
    """Takes its time to publish, or fails to."""

    def __init__(self, *, is_away: bool = False) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.has_time = asyncio.Event()
        self.has_time.set()
        self._is_away = is_away

    async def publish_delta(self, run_id: str, delta: Delta) -> None:
        await self.has_time.wait()
        if self._is_away:
            raise LedgerUnavailable("away")
        self.texts.append(delta.text)
        await super().publish_delta(run_id, delta)


def writer_to(ledger: MemoryLedger) -> DeltaWriter:
    return DeltaWriter(ledger, "run", agent="a", turn=1, attempt=1)


async def deltas_of(ledger: MemoryLedger) -> list[Delta]:
    found = await ledger.follow({"none": START}, deltas={"run": START}, timeout_seconds=0)
    return [entry for _, _, entry in found if isinstance(entry, Delta)]


async def test_pieces_that_come_together_are_published_together() -> None:
    ledger = SlowLedger()
    writer = writer_to(ledger)

    for text in ("a", "b", "c"):
        writer.add(text)
    await asyncio.sleep(3 * BATCH_SECONDS)
    writer.add("d")
    await writer.finish()

    assert ledger.texts == ["abc", "d"]
    assert [delta.offset for delta in await deltas_of(ledger)] == [0, 3]


async def test_slow_server_gets_fewer_and_larger_pieces_in_order() -> None:
    ledger = SlowLedger()
    ledger.has_time.clear()
    writer = writer_to(ledger)

    for number in range(20):
        writer.add(f"{number},")
        await asyncio.sleep(0.02)
    ledger.has_time.set()
    await writer.finish()

    assert "".join(ledger.texts) == "".join(f"{number}," for number in range(20))
    assert len(ledger.texts) <= 4


async def test_server_that_is_away_costs_pieces_only() -> None:
    writer = writer_to(SlowLedger(is_away=True))

    writer.add("a")

    await writer.finish()


class StreamingModel:
    """Writes two pieces; the first call breaks off after one."""

    name = "streaming"

    def __init__(self) -> None:
        self.streamed: list[bool] = []

    async def respond(self, request: ModelRequest, *, on_delta: OnDelta | None = None) -> ModelReply:
        self.streamed.append(on_delta is not None)
        if on_delta:
            on_delta("hel")
            if len(self.streamed) == 1:
                raise ModelUnavailable("broken line", retry_after_seconds=0.0)
            on_delta("lo")
        return ModelReply([text_message("hello")], Usage(requests=1), self.name)


async def run_to_end(model: StreamingModel, *, stream: bool) -> MemoryLedger:
    ledger, registry, settings = MemoryLedger(), Registry(), Settings()
    agent = Agent(name="a", model=model)
    registry.add([agent])
    engine = Engine(ledger, registry, settings, Renewer(ledger))
    options = RunOptions(stream=stream)
    pointer = await ledger.start(new_run(agent, "hi", run_id="run", settings=settings, options=options))
    while pointer is not None:
        performed = await perform(engine, "run", pointer.step, message_id="m", worker="w")
        while performed.kind == "parked" and not performed.pointers:
            performed.pointers.extend(await ledger.reconcile(1))
        pointer = next(iter(performed.pointers), None)
    return ledger


async def test_pieces_of_a_call_that_failed_are_told_from_the_next_attempts() -> None:
    ledger = await run_to_end(StreamingModel(), stream=True)

    found = [(delta.turn, delta.attempt, delta.offset, delta.text) for delta in await deltas_of(ledger)]
    assert found == [(1, 1, 0, "hel"), (1, 2, 0, "hello")]


async def test_model_does_not_stream_for_nobody() -> None:
    model = StreamingModel()

    ledger = await run_to_end(model, stream=False)

    assert model.streamed == [False]
    assert await deltas_of(ledger) == []
