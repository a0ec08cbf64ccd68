"""Agents as guardrails: what they are given, what their answers do, and what becomes of their runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import BaseModel

from orchestrator import (
    Agent,
    GuardrailFunctionOutput,
    GuardrailTripwireTriggered,
    InputGuardrailTripwireTriggered,
    OutputGuardrailTripwireTriggered,
    RunContext,
    RunFailed,
    UserError,
    function_tool,
    input_guardrail,
    input_guardrail_agent,
    output_guardrail_agent,
    run_inline,
    side_runs,
)
from orchestrator.errors import RunCancelled
from orchestrator.graph.build import build_graph
from orchestrator.ledger.base import Pointer
from orchestrator.loop import background
from orchestrator.registry import Registry
from orchestrator.testing import ScriptedModel, function_call, text_message
from tests.support.in_process import InProcess
from tests.support.stack import wait_until

KINDS = ["before", "beside", "output"]
SECONDS = 60


class Verdict(BaseModel):
    allowed: bool


def judging(allowed: bool = True) -> Agent[Any]:
    return Agent("judge", model=ScriptedModel([text_message({"allowed": allowed})]), output_type=Verdict)


def guarded(kind: str, judge: Agent[Any], **options: Any) -> Agent[Any]:
    agent = Agent("a", model=ScriptedModel(["Hello."]), **options)
    if kind == "output":
        agent.output_guardrails.append(output_guardrail_agent(judge, tripped=is_refusal))
    else:
        agent.input_guardrails.append(
            input_guardrail_agent(judge, tripped=is_refusal, run_in_parallel=kind == "beside")
        )
    return agent


def is_refusal(verdict: Verdict) -> bool:
    return not verdict.allowed


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_that_passes_lets_the_run_go_on_and_is_counted(kind: str) -> None:
    judge = judging()

    result = run_inline(guarded(kind, judge), "Hi.")

    assert result.final_output == "Hello."
    assert result.usage.requests == 2
    [request] = judge.model.requests  # type: ignore[union-attr]
    assert request.input == [{"role": "user", "content": "Hello." if kind == "output" else "Hi."}]


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_that_trips_ends_the_run(kind: str) -> None:
    error = OutputGuardrailTripwireTriggered if kind == "output" else InputGuardrailTripwireTriggered

    with pytest.raises(error) as raised:
        run_inline(guarded(kind, judging(allowed=False)), "Solve x.")

    assert isinstance(raised.value, GuardrailTripwireTriggered)
    assert (raised.value.guardrail, raised.value.output_info) == ("judge", {"allowed": False})


@pytest.mark.parametrize("kind", KINDS)
def test_a_judge_that_fails_ends_the_run_with_its_error(kind: str) -> None:
    @function_tool(failure_error_function=None)
    def look() -> str:
        raise LookupError("no rules")

    judge = Agent("judge", model=ScriptedModel([function_call("look")]), tools=[look])

    with pytest.raises(RunFailed, match="no rules"):
        run_inline(guarded(kind, judge), "Hi.")


def test_a_judge_is_given_the_context_and_may_call_agents() -> None:
    seen: list[Any] = []

    @function_tool
    def look(ctx: RunContext[Any]) -> str:
        seen.append(ctx.context)
        return "rules"

    clerk = Agent("clerk", model=ScriptedModel([function_call("look"), "rules"]), tools=[look])
    model = ScriptedModel([function_call("ask", {"input": "x"}), text_message({"allowed": True})])
    judge = Agent("judge", model=model, tools=[clerk.as_tool("ask")], output_type=Verdict)

    assert run_inline(guarded("before", judge), "Hi.", context={"n": 1}).final_output == "Hello."
    assert seen == [{"n": 1}]


def test_a_judge_that_asks_people_where_there_are_none_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_runs, "LOOK_AGAIN_SECONDS", 0.05)

    @function_tool(needs_approval=True)
    def look() -> str:
        return "rules"

    judge = Agent("judge", model=ScriptedModel([function_call("look")]), tools=[look])

    with pytest.raises(UserError, match="waits for a person"):
        run_inline(guarded("before", judge), "Hi.")


def test_a_judge_with_a_queue_is_asked_there() -> None:
    published: list[tuple[str, str | None]] = []

    class Office(InProcess):
        def publish(self, pointers: Sequence[Pointer]) -> None:
            published.extend((pointer.task, pointer.queue) for pointer in pointers)
            super().publish(pointers)

    judge = judging()
    judge.queue = "judges"

    assert Office([guarded("before", judge)]).submit("a", "Hi.").result(SECONDS) == "Hello."
    assert published == [("agents.a", None), ("agents.judge", "judges")]


def test_judges_are_registered_and_drawn() -> None:
    agent, registry = guarded("output", judging()), Registry()
    registry.add([agent])

    [edge] = build_graph(agent, registry.find).edges

    assert set(registry.agents) == {"a", "judge"}
    assert (edge.source, edge.target, edge.text) == ("agent:a", "agent:judge", "guardrail")


# ---- the judge's run ------------------------------------------------------------------------------


def waiting_judge() -> tuple[Agent[Any], list[str], asyncio.Event]:
    """A judge that waits for the event, the ids of the runs that do so, and the event."""
    runs: list[str] = []
    going_on = asyncio.Event()

    @function_tool
    async def wait(ctx: RunContext[Any]) -> str:
        runs.append(ctx.run_id)
        await going_on.wait()
        return "waited"

    model = ScriptedModel([function_call("wait"), text_message({"allowed": True})])
    return Agent("judge", model=model, tools=[wait], output_type=Verdict), runs, going_on


@pytest.mark.parametrize("kind", KINDS)
def test_a_judge_is_cancelled_with_the_run(kind: str) -> None:
    judge, runs, _ = waiting_judge()
    office = InProcess([guarded(kind, judge)])
    run = office.submit("a", "Hi.", run_id="run")
    wait_until(lambda: runs, "the judge is asked")

    run.cancel()

    with pytest.raises(RunCancelled):
        run.result(SECONDS)
    with pytest.raises(RunCancelled):
        office.run(runs[0]).result(SECONDS)


def test_a_judge_is_cancelled_when_another_guardrail_trips() -> None:
    judge, runs, _ = waiting_judge()

    @input_guardrail
    async def trip(context: RunContext[Any], agent: Agent[Any], given: Any) -> GuardrailFunctionOutput:
        while not runs:
            await asyncio.sleep(0.01)
        return GuardrailFunctionOutput(None, tripwire_triggered=True)

    agent = guarded("beside", judge)
    agent.input_guardrails.append(trip)
    office = InProcess([agent])

    with pytest.raises(InputGuardrailTripwireTriggered):
        office.submit("a", "Hi.").result(SECONDS)

    with pytest.raises(RunCancelled):
        office.run(runs[0]).result(SECONDS)


@pytest.mark.parametrize("kind", ["before", "beside"])
async def test_a_worker_that_stops_leaves_the_judges_run_to_whoever_goes_on(kind: str) -> None:
    judge, runs, going_on = waiting_judge()
    office = InProcess([guarded(kind, judge)], is_busy=True)
    run = await office.client.asubmit("a", "Hi.", run_id="run")
    first = await background.arun(office.ledger.claim("run", 1, message_id="m1", worker="w1"))
    assert first is not None
    [pointer] = await background.arun(office.ledger.release(first, first.size, []))
    step = asyncio.run_coroutine_threadsafe(office._perform(pointer), background.loop)
    await asyncio.to_thread(wait_until, lambda: runs, "the judge is asked")

    office._engine.shutdown.hurry()
    await asyncio.wrap_future(step)
    given_back = lambda: office.run("run").status() == office.run(runs[0]).status() == "queued"  # noqa: E731
    await asyncio.to_thread(wait_until, given_back, "both runs are given back")
    office._engine.shutdown.is_stopping = False
    background.loop.call_soon_threadsafe(going_on.set)
    again = (await office.run("run").asummary()).step
    await background.arun(office._perform(Pointer("run", again, "agents.a")))

    assert await run.aresult(SECONDS) == "Hello."
    assert set(runs) == {runs[0]}
    assert len(judge.model.requests) == 2  # type: ignore[union-attr]
