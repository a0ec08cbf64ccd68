"""A run and all below it stay inside their budget."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from orchestrator.agent import Agent
from orchestrator.budget import Budget, Spent, find_exceeded, find_near
from orchestrator.budget_keeper import LAST_CALL, NOT_RUN
from orchestrator.errors import BudgetExceeded, UserError
from orchestrator.inline import arun_inline, run_inline
from orchestrator.models.base import ModelReply, ModelRequest, OnDelta
from orchestrator.prices import Price, Prices
from orchestrator.settings import Settings
from orchestrator.testing import ScriptedModel, function_call, text_message
from orchestrator.tool import function_tool
from orchestrator.usage import Usage


def spending(*items: Any, tokens: int) -> ModelReply:
    """A reply with these items, that took so many tokens."""
    numbered = [item if item.get("type") != "function_call" else {"call_id": f"c{id(item)}", **item} for item in items]
    return ModelReply(numbered, Usage(requests=1, input_tokens=tokens, total_tokens=tokens), "scripted")


def looking(calls: list[str]) -> Any:
    @function_tool
    def look() -> str:
        calls.append("look")
        return "seen"

    return look


LOOK = function_call("look")


# ---- decisions ----------------------------------------------------------------------------------


def test_a_limit_is_exceeded_once_it_is_reached() -> None:
    budget = Budget(tokens=100, turns=3)

    assert find_exceeded(budget, Spent(tokens=99, turns=2)) is None
    assert find_exceeded(budget, Spent(tokens=100)) == "tokens"
    assert find_exceeded(budget, Spent(turns=3)) == "turns"


def test_tool_calls_forbid_tools_alone() -> None:
    budget = Budget(tool_calls=2)

    assert find_exceeded(budget, Spent(tool_calls=2)) is None
    assert find_exceeded(budget, Spent(tool_calls=1), tool_calls=1) is None
    assert find_exceeded(budget, Spent(tool_calls=1), tool_calls=2) == "tool_calls"


def test_a_limit_is_near_from_warn_at_on() -> None:
    assert find_near(Budget(tokens=100, turns=10), Spent(tokens=80, turns=7)) == ["tokens"]
    assert find_near(Budget(tokens=100, warn_at=0.5), Spent(tokens=50)) == ["tokens"]


# ---- runs ---------------------------------------------------------------------------------------


def test_a_run_that_has_spent_its_tokens_ends() -> None:
    model = ScriptedModel([spending(LOOK, tokens=120), "never"])

    with pytest.raises(BudgetExceeded, match="spent 120 of the 100 tokens that their budget allows") as raised:
        run_inline(Agent("a", model=model, tools=[looking([])]), "Hi", budget=Budget(tokens=100))

    assert raised.value.data == {"limit": "tokens", "allowed": 100, "spent": 120}
    assert len(model.requests) == 1


def test_turns_and_tool_calls_have_limits_of_their_own() -> None:
    calls: list[str] = []
    model = ScriptedModel([[LOOK, LOOK], [LOOK], "never"])
    agent = Agent("a", model=model, tools=[looking(calls)])

    with pytest.raises(BudgetExceeded, match="2 of the 2 turns"):
        run_inline(agent, "Hi", budget=Budget(turns=2))
    assert calls == ["look"] * 3

    calls.clear()
    model.requests.clear()
    with pytest.raises(BudgetExceeded, match="tool calls"):
        run_inline(agent, "Hi", budget=Budget(tool_calls=2))
    assert calls == ["look"] * 2


def test_a_called_agent_spends_from_the_same_budget() -> None:
    child = Agent("b", model=ScriptedModel([spending(text_message("It is so."), tokens=90)]))
    model = ScriptedModel([spending(function_call("ask", {"input": "Why?"}), tokens=20), "never"])

    with pytest.raises(BudgetExceeded, match="spent 110 of the 100 tokens"):
        run_inline(Agent("a", model=model, tools=[child.as_tool("ask", "Asks.")]), "Hi", budget=Budget(tokens=100))


def test_a_child_over_the_budget_ends_and_its_parent_hears() -> None:
    child = Agent("b", model=ScriptedModel([spending(LOOK, tokens=90), "never"]), tools=[looking([])])
    model = ScriptedModel([spending(function_call("ask", {"input": "Why?"}), tokens=20), "never"])
    agent = Agent("a", model=model, tools=[child.as_tool("ask", "Asks.", failure_error_function=None)])

    with pytest.raises(BudgetExceeded, match="110 of the 100 tokens"):
        run_inline(agent, "Hi", budget=Budget(tokens=100))


def test_at_the_limit_the_agent_may_answer_once_more_without_tools() -> None:
    model = ScriptedModel([spending(LOOK, tokens=120), "All I know."])
    agent = Agent("a", model=model, tools=[looking([])], instructions="Be brief.")

    result = run_inline(agent, "Hi", budget=Budget(tokens=100, on_limit="answer"))

    assert result.final_output == "All I know."
    assert model.requests[1].tools == ()
    assert model.requests[1].instructions == f"Be brief.\n\n{LAST_CALL}"


def test_tool_calls_over_the_limit_are_refused_and_the_agent_answers() -> None:
    calls: list[str] = []
    model = ScriptedModel([[LOOK], [LOOK, LOOK], "All I know."])

    result = run_inline(
        Agent("a", model=model, tools=[looking(calls)]), "Hi", budget=Budget(tool_calls=2, on_limit="answer")
    )

    assert (result.final_output, calls) == ("All I know.", ["look"])
    assert [item["output"] for item in result.new_items if item["type"] == "function_call_output"] == [
        "seen",
        NOT_RUN,
        NOT_RUN,
    ]


def test_an_agent_that_calls_tools_in_its_last_answer_has_failed() -> None:
    model = ScriptedModel([spending(LOOK, tokens=120), [LOOK], "never"])

    with pytest.raises(BudgetExceeded):
        run_inline(Agent("a", model=model, tools=[looking([])]), "Hi", budget=Budget(tokens=100, on_limit="answer"))

    assert len(model.requests) == 2


def test_a_queued_tool_keeps_to_the_budget_too() -> None:
    calls: list[str] = []

    @function_tool(queue="heavy")
    def weigh() -> str:
        calls.append("weigh")
        return "heavy"

    model = ScriptedModel([[function_call("weigh"), function_call("weigh")], "All I know."])

    result = run_inline(Agent("a", model=model, tools=[weigh]), "Hi", budget=Budget(tool_calls=1, on_limit="answer"))

    assert (result.final_output, calls) == ("All I know.", [])


def test_the_agent_is_told_when_the_budget_is_nearly_spent() -> None:
    model = ScriptedModel([spending(LOOK, tokens=85), "done"])
    agent = Agent("a", model=model, tools=[looking([])])

    run_inline(agent, "Hi", budget=Budget(tokens=100, tell_agent=True))

    assert model.requests[0].instructions is None
    assert model.requests[1].instructions == (
        "Spent of this conversation's budget: 85 % of the tokens. Come to an end."
    )


# ---- money --------------------------------------------------------------------------------------


def test_money_is_counted_by_the_models_prices() -> None:
    settings = Settings(prices=Prices({"scripted": Price(input=10, output=0)}))
    model = ScriptedModel([spending(LOOK, tokens=60_000), "never"])

    with pytest.raises(BudgetExceeded, match=r"spent 0\.6 of the 0\.5 money"):
        run_inline(Agent("a", model=model, tools=[looking([])]), "Hi", budget=Budget(money=0.5), settings=settings)


def test_a_called_agent_without_a_price_is_not_asked() -> None:
    settings = Settings(prices=Prices({"scripted": Price(input=1, output=1)}))
    unpriced = ScriptedModel(["never"], name="other")
    child = Agent("b", model=unpriced)
    model = ScriptedModel([function_call("ask", {"input": "Why?"})])
    agent = Agent("a", model=model, tools=[child.as_tool("ask", "Asks.", failure_error_function=None)])

    with pytest.raises(UserError, match="model `other` of agent `b` has no price"):
        run_inline(agent, "Hi", budget=Budget(money=1), settings=settings)

    assert unpriced.requests == []


# ---- time ---------------------------------------------------------------------------------------


class SlowModel:
    """Answers never, but at once when it is asked without tools."""

    name = "slow"

    async def respond(self, request: ModelRequest, *, on_delta: OnDelta | None = None) -> ModelReply:
        if request.instructions and LAST_CALL in request.instructions:
            return spending(text_message("All I know."), tokens=1)
        await asyncio.Event().wait()
        raise AssertionError("nobody waits that long")


async def test_time_that_is_over_ends_a_model_call() -> None:
    with pytest.raises(BudgetExceeded, match=r"of the 0\.2 seconds"):
        await arun_inline(Agent("a", model=SlowModel()), "Hi", budget=Budget(seconds=0.2))


async def test_time_that_is_over_leaves_an_answer() -> None:
    result = await arun_inline(Agent("a", model=SlowModel()), "Hi", budget=Budget(seconds=0.2, on_limit="answer"))

    assert result.final_output == "All I know."


async def test_time_that_is_over_stops_a_tool_and_does_not_run_it_again() -> None:
    runs: list[str] = []

    @function_tool
    async def wait() -> str:
        runs.append("began")
        await asyncio.Event().wait()
        return "never"

    model = ScriptedModel([[function_call("wait")], "All I know."])

    result = await arun_inline(
        Agent("a", model=model, tools=[wait]), "Hi", budget=Budget(seconds=0.2, on_limit="answer")
    )

    assert (result.final_output, runs) == ("All I know.", ["began"])
