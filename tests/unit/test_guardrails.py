"""Guardrails: when each is asked, what a tripwire stops, and what reaches the producer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel

from orchestrator import (
    Agent,
    AgentHooks,
    GuardrailFunctionOutput,
    InputGuardrailTripwireTriggered,
    OutputGuardrailTripwireTriggered,
    RunContext,
    RunFailed,
    UserError,
    function_tool,
    input_guardrail,
    output_guardrail,
    run_inline,
)
from orchestrator.entries import Checked
from orchestrator.loop import background
from orchestrator.models.base import ModelReply, ModelRequest, OnDelta
from orchestrator.testing import ScriptedModel, function_call, text_message
from tests.support.in_process import InProcess

PASSES = GuardrailFunctionOutput("fine", tripwire_triggered=False)

TRIPS = GuardrailFunctionOutput({"reason": "homework"}, tripwire_triggered=True)


def told(model: ScriptedModel) -> list[Any]:
    """The outputs that the model was shown last."""
    return [item["output"] for item in model.requests[-1].input if item.get("type") == "function_call_output"]


# ---- input --------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_async", [True, False])
def test_a_blocking_guardrail_that_trips_costs_no_model_call(is_async: bool) -> None:
    async def later(context: RunContext[Any], agent: Agent[Any], given: Any) -> GuardrailFunctionOutput:
        return TRIPS

    @input_guardrail(name="no_homework", run_in_parallel=False)
    def check(context: RunContext[Any], agent: Agent[Any], given: Any) -> Any:
        return later(context, agent, given) if is_async else TRIPS

    model = ScriptedModel(["Hello."])

    with pytest.raises(InputGuardrailTripwireTriggered, match="`no_homework` does not let the run's input") as raised:
        run_inline(Agent("a", model=model, input_guardrails=[check]), "Solve x.")

    assert model.requests == []
    assert (raised.value.guardrail, raised.value.output_info) == ("no_homework", {"reason": "homework"})


def test_guardrails_get_context_agent_and_the_text() -> None:
    seen: list[Any] = []

    @input_guardrail
    def check(context: RunContext[Any], agent: Agent[Any], given: Any) -> GuardrailFunctionOutput:
        seen.append((context.context, agent.name, given))
        return PASSES

    result = run_inline(Agent("a", model=ScriptedModel(["Hello."]), input_guardrails=[check]), "Hi.", context={"n": 1})

    assert (result.final_output, seen) == ("Hello.", [({"n": 1}, "a", "Hi.")])


class SlowModel:
    """A model that takes for ever."""

    name = "slow"

    def __init__(self) -> None:
        self.is_cancelled = False

    async def respond(self, request: ModelRequest, *, on_delta: OnDelta | None = None) -> ModelReply:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.is_cancelled = True
            raise
        raise AssertionError("nobody cancelled the call")


def test_a_parallel_guardrail_that_trips_stops_the_model_call() -> None:
    @input_guardrail
    async def check(context: RunContext[Any], agent: Agent[Any], given: Any) -> GuardrailFunctionOutput:
        await asyncio.sleep(0.05)
        return TRIPS

    model = SlowModel()

    with pytest.raises(InputGuardrailTripwireTriggered):
        run_inline(Agent("a", model=model, input_guardrails=[check]), "Solve x.")

    assert model.is_cancelled


def test_the_first_turns_tools_run_but_no_second_turn_before_the_verdict() -> None:
    ran = asyncio.Event()

    @function_tool
    async def look() -> str:
        """Looks."""
        ran.set()
        return "seen"

    @input_guardrail
    async def check(context: RunContext[Any], agent: Agent[Any], given: Any) -> GuardrailFunctionOutput:
        await ran.wait()
        await asyncio.sleep(0.1)
        return TRIPS

    model = ScriptedModel([function_call("look"), "Hello."])

    with pytest.raises(InputGuardrailTripwireTriggered):
        run_inline(Agent("a", model=model, tools=[look], input_guardrails=[check]), "Solve x.")

    assert ran.is_set()
    assert len(model.requests) == 1


@pytest.mark.parametrize("first", ["Hello.", function_call("transfer_to_other"), function_call("ask", {"input": "x"})])
def test_nothing_leaves_the_first_turn_before_the_verdict(first: Any) -> None:
    other_model = ScriptedModel(["Mine."])
    other = Agent("other", model=other_model)

    @input_guardrail
    async def check(context: RunContext[Any], agent: Agent[Any], given: Any) -> GuardrailFunctionOutput:
        await asyncio.sleep(0.1)
        return TRIPS

    agent = Agent("a", model=ScriptedModel([first]), handoffs=[other], tools=[other.as_tool("ask")])
    agent.input_guardrails.append(check)

    with pytest.raises(InputGuardrailTripwireTriggered):
        run_inline(agent, "Solve x.")

    assert other_model.requests == []


def test_only_the_starting_agents_guardrails_are_asked() -> None:
    @input_guardrail
    def check(context: RunContext[Any], agent: Agent[Any], given: Any) -> GuardrailFunctionOutput:
        return TRIPS

    other = Agent("other", model=ScriptedModel(["Taken over."]), input_guardrails=[check])
    agent = Agent("a", model=ScriptedModel([function_call("transfer_to_other")]), handoffs=[other])

    assert run_inline(agent, "Hi.").final_output == "Taken over."


def test_a_called_agents_tripwire_is_a_failed_call() -> None:
    @input_guardrail
    def check(context: RunContext[Any], agent: Agent[Any], given: Any) -> GuardrailFunctionOutput:
        return TRIPS

    other = Agent("other", model=ScriptedModel([]), input_guardrails=[check])
    model = ScriptedModel([function_call("ask", {"input": "x"}), "Sorry."])

    assert run_inline(Agent("a", model=model, tools=[other.as_tool("ask")]), "Hi.").final_output == "Sorry."
    assert told(model) == ["An error occurred while running the tool. Please try again."]


@pytest.mark.parametrize("in_parallel", [True, False])
def test_a_guardrail_that_raises_ends_the_run_under_its_own_name(in_parallel: bool) -> None:
    @input_guardrail(run_in_parallel=in_parallel)
    def check(context: RunContext[Any], agent: Agent[Any], given: Any) -> GuardrailFunctionOutput:
        raise LookupError("no rules")

    with pytest.raises(RunFailed, match="LookupError: no rules"):
        run_inline(Agent("a", model=ScriptedModel(["Hello."]), input_guardrails=[check]), "Hi.")


# ---- output -------------------------------------------------------------------------------------


class Answer(BaseModel):
    number: int


def test_output_guardrails_judge_the_parsed_output_after_the_hook() -> None:
    order: list[Any] = []

    class Hooks(AgentHooks):
        async def on_end(self, context: RunContext[Any], agent: Agent[Any], output: Any) -> None:
            order.append("hook")

    @output_guardrail
    async def check(context: RunContext[Any], agent: Agent[Any], output: Answer) -> GuardrailFunctionOutput:
        order.append(output.number)
        return TRIPS

    agent = Agent("a", model=ScriptedModel([text_message({"number": 7})]), output_type=Answer, hooks=Hooks())
    agent.output_guardrails.append(check)

    with pytest.raises(OutputGuardrailTripwireTriggered) as raised:
        run_inline(agent, "Hi.")

    assert order == ["hook", 7]
    assert (raised.value.guardrail, raised.value.output_info) == ("check", {"reason": "homework"})


def test_an_output_that_passes_is_the_answer() -> None:
    @output_guardrail(name="polite")
    def check(context: RunContext[Any], agent: Agent[Any], output: str) -> GuardrailFunctionOutput:
        return PASSES

    assert run_inline(Agent("a", model=ScriptedModel(["Hi."]), output_guardrails=[check]), "Hi.").final_output == "Hi."


# ---- wrong use ----------------------------------------------------------------------------------


def test_what_is_no_guardrail_is_refused_at_once() -> None:
    def check(context: Any, agent: Any, given: Any) -> GuardrailFunctionOutput:
        return PASSES

    with pytest.raises(UserError, match=r"no InputGuardrail: .* Decorate the function"):
        Agent("a", input_guardrails=[check])  # type: ignore[list-item]
    with pytest.raises(UserError, match="two guardrails called `check`"):
        Agent("a", output_guardrails=[output_guardrail(check), output_guardrail(check)])


def test_a_guardrail_that_returns_something_else_ends_the_run() -> None:
    @input_guardrail
    def check(context: RunContext[Any], agent: Agent[Any], given: Any) -> Any:
        return True

    with pytest.raises(UserError, match="`check` must return GuardrailFunctionOutput"):
        run_inline(Agent("a", model=ScriptedModel(["Hi."]), input_guardrails=[check]), "Hi.")


# ---- after a crash ------------------------------------------------------------------------------


@pytest.mark.parametrize("in_parallel", [True, False])
async def test_a_worker_that_takes_over_does_not_ask_again(in_parallel: bool) -> None:
    asked: list[str] = []

    @input_guardrail(run_in_parallel=in_parallel)
    def check(context: RunContext[Any], agent: Agent[Any], given: Any) -> GuardrailFunctionOutput:
        asked.append("check")
        return PASSES

    office = InProcess([Agent("a", model=ScriptedModel(["Hello."]), input_guardrails=[check])], is_busy=True)
    run = await office.client.asubmit("a", "Hi.", run_id="run")
    ledger = office.ledger
    dead = await background.arun(ledger.claim("run", 1, message_id="m1", worker="w1"))
    assert dead is not None
    verdict = Checked(stage="input", guardrail="check", tripped=False)
    await background.arun(ledger.append(dead, dead.size, [verdict]))
    [pointer] = await background.arun(ledger.release(dead, dead.size + 1, []))

    await background.arun(office._perform(pointer))

    assert await run.aresult(60) == "Hello."
    assert asked == []
