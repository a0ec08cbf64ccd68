"""A failed run goes on from its last good turn, as a new run."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator import Flow, GuardrailFunctionOutput, input_guardrail, sequence
from orchestrator.agent import Agent
from orchestrator.context import RunContext, ToolContext
from orchestrator.errors import InvalidInput, MaxTurnsExceeded, RunConflict, RunFailed, RunNotFound, WrongRunState
from orchestrator.retry import retry_id
from orchestrator.run import Run
from orchestrator.testing import ScriptedModel, function_call, refusal_message
from orchestrator.tool import function_tool
from tests.support.in_process import InProcess

SECONDS = 60
LOOK, CHARGE = function_call("look"), function_call("charge")


class Till:
    """Tools that leave traces, and one that can be repaired."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.is_broken = True
        self.looks = 0

    def tools(self) -> list[Any]:
        @function_tool
        def look() -> str:
            self.looks += 1
            return "seen"

        @function_tool(failure_error_function=None)
        def charge(ctx: ToolContext[Any]) -> str:
            self.keys.append(ctx.idempotency_key)
            if self.is_broken:
                raise RuntimeError("the till is broken")
            return "charged"

        return [look, charge]


def failed(agent: Agent[Any], *others: Agent[Any], **options: Any) -> tuple[InProcess, Run]:
    """A run of the agent that has failed."""
    app = InProcess([agent, *others])
    run = app.submit(agent, "Hi", run_id="run", **options)
    with pytest.raises(RunFailed):
        run.result(SECONDS)
    return app, run


def test_a_retry_goes_on_after_the_calls_that_had_ended() -> None:
    till, model = Till(), ScriptedModel([[LOOK], [LOOK, CHARGE]])
    _, run = failed(Agent("a", model=model, tools=till.tools()))

    till.is_broken = False
    model.add("done")
    again = run.retry()

    assert again.result(SECONDS) == "done"
    assert till.looks in (2, 3)  # the second one ended, or was cut off by the failure beside it
    assert till.keys == ["run:call_a_2_2", "run:call_a_2_2"]
    assert len(model.requests) == 3
    assert again.summary().usage.requests == 3


def test_a_reply_that_led_to_nothing_is_asked_for_again() -> None:
    till = Till()
    model = ScriptedModel([[LOOK], refusal_message("No.")])
    _, run = failed(Agent("a", model=model, tools=till.tools()))

    model.add("done")
    again = run.retry()

    assert again.result(SECONDS) == "done"
    assert till.looks == 1
    assert model.requests[2].input == model.requests[1].input


def test_a_retry_can_begin_with_any_turn_or_with_the_input() -> None:
    till = Till()
    model = ScriptedModel([[LOOK], [LOOK], refusal_message("No.")])
    app, run = failed(Agent("a", model=model, tools=till.tools()))

    model.add("from one")
    assert run.retry(1).result(SECONDS) == "from one"
    assert model.requests[3].input == model.requests[1].input

    with pytest.raises(RunConflict):
        run.retry(0)
    assert app.run("run.retry1").result(SECONDS) == "from one"


def test_a_retry_from_the_input_takes_over_nothing() -> None:
    till = Till()
    model = ScriptedModel([[LOOK], refusal_message("No.")])
    _, run = failed(Agent("a", model=model, tools=till.tools()))

    model.add("fresh")

    assert run.retry(0).result(SECONDS) == "fresh"
    assert model.requests[2].input == model.requests[0].input


def test_a_retry_goes_on_with_the_agent_and_the_context_of_its_turn() -> None:
    def note(ctx: RunContext[dict[str, int]]) -> str:
        ctx.context["seen"] = 1
        return "noted"

    seen: list[Any] = []

    def instructions(ctx: RunContext[Any], agent: Agent[Any]) -> str:
        seen.append(dict(ctx.context))
        return agent.name

    model = ScriptedModel([function_call("transfer_to_b")])
    second = ScriptedModel([function_call("note"), refusal_message("No.")])
    b = Agent("b", model=second, tools=[function_tool(note)], instructions=instructions)
    _, run = failed(Agent("a", model=model, handoffs=[b]), b, context={"seen": 0})

    second.add("done")
    again = run.retry()

    assert again.result(SECONDS) == "done"
    assert second.requests[2].instructions == "b"
    assert seen[-1] == {"seen": 1}


def test_other_options_go_before_the_old_ones() -> None:
    till = Till()
    model = ScriptedModel([[LOOK]])
    agent = Agent("a", model=model, tools=till.tools())
    app = InProcess([agent])
    run = app.submit(agent, "Hi", run_id="run", max_turns=1, tags=["night"])
    with pytest.raises(MaxTurnsExceeded):
        run.result(SECONDS)

    model.add("done")
    again = run.retry(max_turns=5)

    assert again.result(SECONDS) == "done"
    assert again.summary().tags == ("night",)


def test_both_runs_know_each_other_and_retrying_twice_is_once() -> None:
    till, model = Till(), ScriptedModel([[CHARGE]])
    _, run = failed(Agent("a", model=model, tools=till.tools()))

    till.is_broken = False
    model.add("done")
    again, once_more = run.retry(), run.retry()

    assert again.id == once_more.id == "run.retry1"
    assert again.result(SECONDS) == "done"
    assert (run.summary().retried_by, again.summary().retry_of) == ("run.retry1", "run")
    assert len(model.requests) == 2


def test_a_retry_that_fails_can_be_retried_and_keeps_the_first_runs_keys() -> None:
    till, model = Till(), ScriptedModel([[CHARGE]])
    _, run = failed(Agent("a", model=model, tools=till.tools()))
    again = run.retry()
    with pytest.raises(RunFailed):
        again.result(SECONDS)

    till.is_broken = False
    model.add("done")
    third = again.retry()

    assert (third.id, third.result(SECONDS)) == ("run.retry2", "done")
    assert set(till.keys) == {"run:call_a_1_1"}


def test_a_called_agent_that_had_answered_is_not_asked_again() -> None:
    till = Till()
    asked = ScriptedModel(["It is so."])
    child = Agent("b", model=asked)
    model = ScriptedModel([[function_call("ask", {"input": "Why?"})], refusal_message("No.")])
    agent = Agent("a", model=model, tools=[*till.tools(), child.as_tool("ask", "Asks.")])
    _, run = failed(agent, child)

    model.add("done")

    assert run.retry().result(SECONDS) == "done"
    assert len(asked.requests) == 1


def test_a_flow_does_only_the_failed_steps_again() -> None:
    first, second = ScriptedModel(["one"]), ScriptedModel([refusal_message("No.")])
    flow = Flow("f", sequence(Agent("a", model=first), Agent("b", model=second)))
    app = InProcess([flow])
    run = app.submit(flow, "Hi", run_id="run")
    with pytest.raises(RunFailed):
        run.result(SECONDS)

    second.add("two")

    assert run.retry().result(SECONDS) == "two"
    assert len(first.requests) == 1


def test_a_flow_is_not_retried_to_answer_at_its_budget() -> None:
    flow = Flow("f", Agent("a", model=ScriptedModel([refusal_message("No.")])))
    run = InProcess([flow]).submit(flow, "Hi")
    with pytest.raises(RunFailed):
        run.result(SECONDS)

    with pytest.raises(InvalidInput, match="Flow `f` cannot answer at its budget's limit"):
        run.retry(budget={"turns": 3, "on_limit": "answer"})


def test_a_retry_is_no_way_around_a_guardrail() -> None:
    trips = [True, True, False]

    @input_guardrail
    def careful(context: Any, agent: Any, given: Any) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput(output_info=None, tripwire_triggered=trips.pop(0))

    model = ScriptedModel(["never", "never", "done"])
    _, run = failed(Agent("a", model=model, input_guardrails=[careful]))

    again = run.retry()
    with pytest.raises(RunFailed):
        again.result(SECONDS)

    assert again.retry().result(SECONDS) in ("never", "done")
    assert trips == []


# ---- what cannot be retried ---------------------------------------------------------------------


def test_a_run_that_has_not_ended_is_not_retried() -> None:
    agent = Agent("a", model=ScriptedModel([]))
    run = InProcess([agent], is_busy=True).submit(agent, "Hi")

    with pytest.raises(WrongRunState, match="has not ended: cancel it first"):
        run.retry()


def test_a_run_with_an_answer_is_not_retried() -> None:
    agent = Agent("a", model=ScriptedModel(["done"]))
    run = InProcess([agent]).submit(agent, "Hi")
    run.result(SECONDS)

    with pytest.raises(WrongRunState, match="has its answer"):
        run.retry()


@pytest.mark.parametrize("turn", [-1, 2])
def test_a_turn_that_does_not_exist_is_refused(turn: int) -> None:
    _, run = failed(Agent("a", model=ScriptedModel([refusal_message("No.")])))

    with pytest.raises(InvalidInput, match=f"has 1 turns; it cannot be retried from turn {turn}"):
        run.retry(turn)


def test_a_run_that_nobody_knows_is_not_found() -> None:
    agent = Agent("a", model=ScriptedModel([]))

    with pytest.raises(RunNotFound):
        InProcess([agent]).run("nope").retry()


def test_ids_of_retries_are_counted() -> None:
    assert retry_id("run") == "run.retry1"
    assert retry_id("run.retry1") == "run.retry2"
