"""A tool with a queue of its own is a run whose only step is the tool."""

from __future__ import annotations

from typing import Any

from orchestrator.agent import Agent
from orchestrator.engine import Engine
from orchestrator.entries import Entry, Output, Started
from orchestrator.ledger.memory import MemoryLedger
from orchestrator.perform import perform
from orchestrator.registry import Registry
from orchestrator.renewer import Renewer
from orchestrator.run_ids import child_id
from orchestrator.settings import Settings
from orchestrator.submission import new_run
from orchestrator.testing import ScriptedModel, function_call
from orchestrator.tool import FunctionTool, OnInterrupt, function_tool

SETTINGS = Settings(model_api="rehearsal", rehearsal_latency_seconds=0)
CHILD = child_id("run", "c1")


def crunch(runs: list[int], on_interrupt: OnInterrupt = "rerun") -> FunctionTool:
    @function_tool(queue="cpu", on_interrupt=on_interrupt, failure_error_function=None)
    def crunch(number: int) -> int:
        runs.append(number)
        if number < 0:
            raise ValueError("too small")
        return number * number

    return crunch


async def park_on(tool: FunctionTool, number: int) -> Engine:
    """An agent has called the tool, and its run waits."""
    call = function_call("crunch", {"number": number}, call_id="c1")
    agent: Agent[Any] = Agent(name="counter", tools=[tool], model=ScriptedModel([call, "done"]))
    registry, ledger = Registry(), MemoryLedger()
    registry.add([agent])
    engine = Engine(ledger, registry, SETTINGS, Renewer(ledger))
    await ledger.start(new_run(agent, "hi", run_id="run", settings=SETTINGS))
    await perform(engine, "run", 1, message_id="m", worker="w")
    return engine


async def log(engine: Engine) -> list[Entry]:
    return [entry for _, entry in await engine.ledger.entries(CHILD)]


async def test_call_is_started_then_settled_then_answered() -> None:
    engine = await park_on(crunch([]), 12)

    performed = await perform(engine, CHILD, 1, message_id="m", worker="w")

    assert [entry.type for entry in await log(engine)] == ["input", "invocation", "started", "output", "outcome"]
    assert performed.outcome is not None
    assert performed.outcome.output == {"output": "144", "value": 144, "failed": False}
    assert [pointer.run_id for pointer in performed.pointers] == ["run"]


async def test_failure_is_recorded_and_ends_the_run() -> None:
    engine = await park_on(crunch([]), -1)

    performed = await perform(engine, CHILD, 1, message_id="m", worker="w")

    [output] = [entry for entry in await log(engine) if isinstance(entry, Output)]
    assert performed.outcome is not None
    assert performed.outcome.kind == "failure"
    assert "too small" in str(output.output)


async def test_report_tool_that_was_started_is_not_started_again() -> None:
    runs: list[int] = []
    engine = await park_on(crunch(runs, "report"), 12)
    claim = await engine.ledger.claim(CHILD, 1, message_id="lost", worker="w")
    assert claim is not None
    await engine.ledger.append(claim, claim.size, [Started(call_id="c1", tool="crunch")])
    await engine.ledger.release(claim, claim.size + 1, [])

    performed = await perform(engine, CHILD, 1, message_id="m", worker="w")

    assert runs == []
    assert performed.outcome is not None
    assert performed.outcome.output["failed"]


async def test_stopping_worker_does_not_begin() -> None:
    runs: list[int] = []
    engine = await park_on(crunch(runs), 12)
    engine.shutdown.begin()

    performed = await perform(engine, CHILD, 1, message_id="m", worker="w")

    assert performed.kind == "released"
    assert runs == []
