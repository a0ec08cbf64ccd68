"""What becomes of a run whose worker dies, or is told to stop, in the middle."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from orchestrator.agent import Agent
from orchestrator.context import ToolContext
from orchestrator.engine import Engine, Performed
from orchestrator.entries import Output, Reply
from orchestrator.ledger.base import Pointer
from orchestrator.ledger.memory import MemoryLedger
from orchestrator.models.base import ModelReply, ModelRequest
from orchestrator.perform import perform
from orchestrator.registry import Registry
from orchestrator.renewer import Renewer
from orchestrator.settings import Settings
from orchestrator.submission import new_run
from orchestrator.testing import ScriptedModel, function_call, text_message
from orchestrator.tool import OnInterrupt, function_tool
from orchestrator.usage import Usage

SETTINGS = Settings(model_api="rehearsal", rehearsal_latency_seconds=0)


class Desk:
    """One run, and workers that come and go around its ledger."""

    def __init__(self, agent: Agent[Any]) -> None:
        self.agent = agent
        self.ledger = MemoryLedger()
        self.registry = Registry()
        self.registry.add([agent])

    def worker(self) -> Engine:
        return Engine(self.ledger, self.registry, SETTINGS, Renewer(self.ledger))

    async def start(self) -> Pointer:
        pointer = await self.ledger.start(new_run(self.agent, "hi", run_id="run", settings=SETTINGS))
        assert pointer is not None
        return pointer

    async def work(self, engine: Engine, step: int = 1) -> Performed:
        return await perform(engine, "run", step, message_id="m", worker="w")

    async def outputs(self) -> list[Output]:
        return [entry for _, entry in await self.ledger.entries("run") if isinstance(entry, Output)]


class SlowModel:
    """Never answers the first call; records that it was cut off."""

    name = "slow"

    def __init__(self) -> None:
        self.calls = 0
        self.asked = asyncio.Event()

    async def respond(self, request: ModelRequest, *, on_delta: Any = None) -> ModelReply:
        self.calls += 1
        self.asked.set()
        if self.calls == 1:
            await asyncio.Event().wait()
        return ModelReply([text_message("done")], Usage(requests=1), self.name)


def agent_with_tool(on_interrupt: OnInterrupt, keys: list[str], dies: asyncio.Event) -> Agent[Any]:
    @function_tool(on_interrupt=on_interrupt)
    async def pay(ctx: ToolContext[Any]) -> str:
        keys.append(ctx.idempotency_key)
        if len(keys) == 1:
            dies.set()
            await asyncio.Event().wait()
        return "paid"

    return Agent(name="cashier", tools=[pay], model=ScriptedModel([function_call("pay", call_id="c1"), "done"]))


async def die_in_the_tool(desk: Desk, dies: asyncio.Event) -> None:
    """A worker vanishes in the middle of the tool; its lease has lapsed."""
    await desk.start()
    worker = asyncio.create_task(desk.work(desk.worker()))
    await dies.wait()
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    claim_after_lapse = desk.ledger._runs.find("run")
    assert claim_after_lapse is not None
    desk.ledger._runs.queue(claim_after_lapse)


async def test_rerun_tool_runs_again_under_the_same_key() -> None:
    keys: list[str] = []
    desk = Desk(agent_with_tool("rerun", keys, dies := asyncio.Event()))
    await die_in_the_tool(desk, dies)

    performed = await desk.work(desk.worker())

    assert performed.outcome is not None
    assert performed.outcome.output == "done"
    assert keys == ["run:c1", "run:c1"]


async def test_report_tool_never_starts_twice_and_its_model_is_told() -> None:
    keys: list[str] = []
    desk = Desk(agent_with_tool("report", keys, dies := asyncio.Event()))
    await die_in_the_tool(desk, dies)

    performed = await desk.work(desk.worker())

    [output] = await desk.outputs()
    assert performed.kind == "ended"
    assert keys == ["run:c1"]
    assert output.failed
    assert "unknown" in str(output.output)


class BusyLedger(MemoryLedger):
    """A renewal of all leases comes between a commit and its answer."""

    renewer: Renewer

    async def hand_over(self, *args: Any, **options: Any) -> list[Pointer]:
        pointers = await super().hand_over(*args, **options)
        await self.renewer._renew()
        await asyncio.sleep(0)
        return pointers

    async def park(self, *args: Any, **options: Any) -> list[Pointer]:
        pointers = await super().park(*args, **options)
        await self.renewer._renew()
        await asyncio.sleep(0)
        return pointers


async def test_a_renewal_that_meets_a_commit_does_not_take_it_for_a_takeover() -> None:
    file_it = function_call("clerk", {"input": "file it"})
    specialist: Agent[Any] = Agent(name="specialist", model=ScriptedModel([file_it, "done"]))
    clerk: Agent[Any] = Agent(name="clerk", model=ScriptedModel(["filed"]))
    specialist.tools.append(clerk.as_tool("clerk", "Files it."))
    triage: Agent[Any] = Agent(
        name="triage", model=ScriptedModel([function_call("transfer_to_specialist")]), handoffs=[specialist]
    )
    desk = Desk(triage)
    desk.ledger = ledger = BusyLedger()
    worker = desk.worker()
    ledger.renewer = worker.renewer
    await desk.start()

    handed_over = await desk.work(worker)
    parked = await desk.work(worker, step=2)

    assert (handed_over.kind, [pointer.step for pointer in handed_over.pointers]) == ("handed_over", [2])
    assert (parked.kind, [pointer.task for pointer in parked.pointers]) == ("parked", ["agents.clerk"])


async def test_stopping_worker_lets_the_turn_end_and_gives_the_run_back() -> None:
    worker: list[Engine] = []

    @function_tool
    async def look() -> str:
        worker[0].shutdown.begin()
        return "seen"

    model = ScriptedModel([function_call("look", call_id="c1"), "done"])
    desk = Desk(Agent(name="scout", tools=[look], model=model))
    worker.append(desk.worker())
    await desk.start()

    first = await desk.work(worker[0])
    second = await desk.work(desk.worker())

    assert first.kind == "released"
    assert [pointer.step for pointer in first.pointers] == [1]
    assert second.outcome is not None
    assert second.outcome.output == "done"
    assert [output.output for output in await desk.outputs()] == ["seen"]


async def test_hurried_worker_cuts_the_model_call_off_and_another_makes_it_again() -> None:
    model = SlowModel()
    desk = Desk(Agent(name="thinker", model=model))
    await desk.start()
    stopping = desk.worker()
    invocation = asyncio.create_task(desk.work(stopping))
    await model.asked.wait()

    stopping.shutdown.hurry()
    released = await asyncio.wait_for(invocation, 60)
    performed = await desk.work(desk.worker())

    assert released.kind == "released"
    assert performed.outcome is not None
    assert performed.outcome.output == "done"
    replies = [entry for _, entry in await desk.ledger.entries("run") if isinstance(entry, Reply)]
    assert len(replies) == 1


async def test_cancelled_worker_task_leaves_the_run_to_its_lease() -> None:
    model = SlowModel()
    desk = Desk(Agent(name="thinker", model=model))
    await desk.start()
    invocation = asyncio.create_task(desk.work(desk.worker()))
    await model.asked.wait()

    invocation.cancel()

    with pytest.raises(asyncio.CancelledError):
        await invocation
    summary = await desk.ledger.summary("run")
    assert summary is not None
    assert summary.status == "running"
