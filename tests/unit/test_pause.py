"""A paused run rests at its next step, whatever it is, and goes on where it was."""

from __future__ import annotations

import asyncio
from typing import Any

from orchestrator import Flow, sequence
from orchestrator.agent import Agent
from orchestrator.loop import background
from orchestrator.models.base import ModelReply, ModelRequest, OnDelta
from orchestrator.run import Run
from orchestrator.testing import ScriptedModel, function_call
from orchestrator.tool import function_tool
from tests.support.in_process import InProcess
from tests.support.stack import wait_until

SECONDS = 60


class GatedModel(ScriptedModel):
    """Waits before each reply until it is let through."""

    def __init__(self, replies: list[Any]) -> None:
        super().__init__(replies)
        self.gate = asyncio.Semaphore(0)
        self.asked = 0

    async def respond(self, request: ModelRequest, *, on_delta: OnDelta | None = None) -> ModelReply:
        self.asked += 1
        await self.gate.acquire()
        return await super().respond(request, on_delta=on_delta)

    def let_through(self, calls: int = 1) -> None:
        for _ in range(calls):
            background.loop.call_soon_threadsafe(self.gate.release)


def rests(run: Run) -> bool:
    summary = run.summary()
    return summary.status == "parked" and summary.pause and not summary.waits


def test_a_run_rests_after_the_tools_of_its_reply_and_goes_on() -> None:
    looks: list[str] = []

    @function_tool
    def look() -> str:
        looks.append("look")
        return "seen"

    model = GatedModel([[function_call("look")], "done"])
    run = InProcess([agent := Agent("a", model=model, tools=[look])]).submit(agent, "Hi")
    wait_until(lambda: model.asked == 1, "the model is asked")

    run.pause()
    model.let_through(2)
    wait_until(lambda: rests(run), "the run rests")
    assert (model.asked, looks) == (1, ["look"])

    run.resume()
    assert run.result(SECONDS) == "done"
    assert looks == ["look"]


def test_a_called_agent_rests_with_its_caller() -> None:
    model = GatedModel([[function_call("ask", {"input": "Why?"})], "So it is."])
    asked = GatedModel([[function_call("ponder")], "It is so."])
    child = Agent("b", model=asked, tools=[function_tool(lambda: "hm", name_override="ponder")])
    agent = Agent("a", model=model, tools=[child.as_tool("ask", "Asks.")])
    app = InProcess([agent])
    run = app.submit(agent, "Hi")
    model.let_through(2)
    wait_until(lambda: asked.asked == 1, "the called agent works")
    [child_id] = run.summary().waits.values()

    run.pause()
    asked.let_through(2)
    wait_until(lambda: rests(app.run(child_id)), "the called agent rests")
    assert asked.asked == 1

    run.resume()
    assert run.result(SECONDS) == "So it is."


def test_a_flow_rests_between_its_steps() -> None:
    first, second = GatedModel(["one"]), GatedModel(["two"])
    flow = Flow("f", sequence(Agent("a", model=first), Agent("b", model=second)))
    run = InProcess([flow]).submit(flow, "Hi")
    wait_until(lambda: first.asked == 1, "the first step works")

    run.pause()
    first.let_through()
    second.let_through()
    wait_until(lambda: rests(run), "the flow rests")
    assert second.asked == 0

    run.resume()
    assert run.result(SECONDS) == "two"


def test_a_tool_on_another_queue_does_not_begin_while_its_caller_is_paused() -> None:
    weighed: list[str] = []

    @function_tool(queue="heavy")
    def weigh() -> str:
        weighed.append("weigh")
        return "heavy"

    model = GatedModel([[function_call("weigh")], "done"])
    agent = Agent("a", model=model, tools=[weigh])
    app = InProcess([agent])
    run = app.submit(agent, "Hi")
    wait_until(lambda: model.asked == 1, "the model is asked")
    run.pause()
    model.let_through(2)
    wait_until(lambda: run.summary().status == "parked", "the run waits or rests")

    assert weighed == []
    run.resume()
    assert run.result(SECONDS) == "done"
    assert weighed == ["weigh"]
