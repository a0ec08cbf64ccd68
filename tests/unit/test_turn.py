"""The decision of a turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import BaseModel

from orchestrator.agent import Agent
from orchestrator.context import RunContext
from orchestrator.entries import ChildEnded, Entry, Outcome, Output, Reply, RunInput, RunOptions, Started
from orchestrator.error_handlers import InvalidFinalOutput
from orchestrator.errors import ModelBehaviorError, ModelRefusalError
from orchestrator.models.base import Item
from orchestrator.state import fold
from orchestrator.testing import function_call, refusal_message, text_message
from orchestrator.tool import FunctionTool, function_tool
from orchestrator.toolbox import open_toolbox
from orchestrator.turn import (
    AskOthers,
    CallModel,
    CheckTools,
    Finish,
    HandOver,
    Move,
    RunTools,
    TakeAnswers,
    decide,
)

SEARCH: Item = {"type": "web_search_call", "id": "ws", "status": "completed"}
REASONING: Item = {"type": "reasoning", "id": "rs", "summary": []}


class Report(BaseModel):
    title: str


def tool(name: str, **options: Any) -> FunctionTool:
    return function_tool(lambda: name, name_override=name, **options)


def reply(*items: Item) -> Reply:
    return Reply(agent="a", items=list(items))


def output(call_id: str) -> Output:
    return Output(call_id=call_id, tool="look", output="seen")


async def decide_after(agent: Agent[Any], *entries: Entry, options: RunOptions | None = None) -> Move:
    options = options or RunOptions()
    given: Sequence[Entry] = [RunInput(agent=agent.name, items=[], options=options), *entries]
    return decide(fold(given), agent, await open_toolbox(agent, RunContext(None), options))


async def test_the_model_is_called_first() -> None:
    assert await decide_after(Agent("a")) == CallModel()


async def test_the_last_message_ends_the_run() -> None:
    assert await decide_after(Agent("a"), reply(text_message("one"), text_message("two"))) == Finish("two")


async def test_an_empty_reply_ends_the_run_with_empty_text() -> None:
    assert await decide_after(Agent("a"), reply()) == Finish("")


async def test_reasoning_alone_ends_the_run_with_empty_text() -> None:
    assert await decide_after(Agent("a"), reply(REASONING)) == Finish("")


async def test_hosted_tools_alone_are_another_turn() -> None:
    assert await decide_after(Agent("a"), reply(SEARCH)) == CallModel()


async def test_an_empty_reply_of_an_agent_with_an_output_type_is_another_turn() -> None:
    assert await decide_after(Agent("a", output_type=Report), reply()) == CallModel()


async def test_missing_output_is_invalid_where_a_handler_waits_for_it() -> None:
    agent = Agent("a", output_type=Report, error_handlers={"invalid_final_output": lambda given: None})

    with pytest.raises(InvalidFinalOutput):
        await decide_after(agent, reply())


async def test_structured_output_ends_the_run_typed() -> None:
    assert await decide_after(Agent("a", output_type=Report), reply(text_message({"title": "T"}))) == Finish(
        Report(title="T")
    )


async def test_invalid_output_names_agent_and_type() -> None:
    with pytest.raises(ModelBehaviorError, match="final output of agent `a` is no valid Report"):
        await decide_after(Agent("a", output_type=Report), reply(text_message("no")))


async def test_output_that_was_cut_off_names_the_limit() -> None:
    cut = {**text_message('{"title": "T'), "status": "incomplete"}

    with pytest.raises(ModelBehaviorError, match=r"cut off at its token limit \(`max_tokens`\)"):
        await decide_after(Agent("a", output_type=Report), reply(cut))


async def test_a_refusal_is_an_error_with_the_models_words() -> None:
    with pytest.raises(ModelRefusalError, match="I must not") as caught:
        await decide_after(Agent("a"), reply(refusal_message("I must not")))

    assert caught.value.data["refusal"] == "I must not"


async def test_a_refusal_beside_text_is_an_error() -> None:
    mixed = text_message("a part")
    mixed["content"] += refusal_message("not the rest")["content"]

    with pytest.raises(ModelRefusalError):
        await decide_after(Agent("a"), reply(mixed))


async def test_local_tools_run_before_children_are_asked_and_handoffs_made() -> None:
    look, ask = tool("look"), Agent("b").as_tool("ask")
    agent = Agent("a", tools=[look, ask], handoffs=[Agent("c")])
    calls = [function_call(name, call_id=name) for name in ("transfer_to_c", "ask", "look")]

    first = await decide_after(agent, reply(*calls))
    then = await decide_after(agent, reply(*calls), Started(call_id="look", tool="look"), output("look"))
    last = await decide_after(agent, reply(*calls), output("look"), output("ask"))

    assert first == RunTools([(calls[2], look)], [])
    assert then == AskOthers([(calls[1], ask)], [])
    assert isinstance(last, HandOver)
    assert last.handoff.agent_name == "c"


async def test_a_tool_with_a_queue_is_asked_like_a_child() -> None:
    queued = tool("look", queue="cpu")
    call = function_call("look", call_id="1")

    assert await decide_after(Agent("a", tools=[queued]), reply(call)) == AskOthers([(call, queued)], [])


async def test_answers_of_children_are_taken_before_anything_else_happens() -> None:
    ask = Agent("b").as_tool("ask")
    call = function_call("ask", call_id="1")
    ended = ChildEnded(call_id="1", child="r.1", outcome=Outcome(kind="answer", output="x"))

    assert await decide_after(Agent("a", tools=[ask]), reply(call), ended) == TakeAnswers([(ended, call, ask)])


async def test_settled_calls_are_checked_in_the_order_of_the_reply() -> None:
    one, two = tool("one"), tool("two")
    calls = [function_call("two", call_id="2"), function_call("one", call_id="1")]

    move = await decide_after(Agent("a", tools=[one, two]), reply(*calls), output("1"), output("2"))

    assert move == CheckTools([(calls[0], two), (calls[1], one)])


async def test_the_first_of_several_handoffs_wins() -> None:
    agent = Agent("a", handoffs=[Agent("b"), Agent("c")])
    calls = [function_call("transfer_to_c", call_id="1"), function_call("transfer_to_b", call_id="2")]

    move = await decide_after(agent, reply(*calls))

    assert isinstance(move, HandOver)
    assert (move.handoff.agent_name, move.ignored) == ("c", [calls[1]])


async def test_an_unknown_tool_is_an_error_that_says_what_there_is() -> None:
    with pytest.raises(ModelBehaviorError, match=r"called `zoom`, which the agent does not have\. It has: look"):
        await decide_after(Agent("a", tools=[tool("look")]), reply(function_call("zoom", call_id="1")))


async def test_the_model_is_told_of_unknown_and_hidden_tools_where_the_run_says_so() -> None:
    options = RunOptions(tool_not_found_behavior="return_error_to_model")
    agent = Agent("a", tools=[tool("hidden", is_enabled=False)])
    calls = [function_call("zoom", call_id="1"), function_call("hidden", call_id="2")]

    move = await decide_after(agent, reply(*calls), options=options)

    assert isinstance(move, RunTools)
    told = [(output.call_id, output.output) for output in move.settled]
    assert (move.calls, told) == ([], [("1", "Tool 'zoom' not found."), ("2", "Tool 'hidden' not found.")])


async def test_a_disabled_tool_is_an_error() -> None:
    agent = Agent("a", tools=[tool("hidden", is_enabled=False)])

    with pytest.raises(ModelBehaviorError, match="`hidden`, which is disabled in this turn"):
        await decide_after(agent, reply(function_call("hidden", call_id="1")))


async def test_a_tool_that_has_run_may_be_disabled_since() -> None:
    once = tool("look", is_enabled=False)
    call = function_call("look", call_id="1")

    move = await decide_after(Agent("a", tools=[once]), reply(call), Started(call_id="1", tool="look"), output("1"))

    assert move == CheckTools([(call, once)])


async def test_equal_calls_of_one_id_run_once() -> None:
    look = tool("look")
    call = function_call("look", call_id="1")

    assert await decide_after(Agent("a", tools=[look]), reply(call, call)) == RunTools([(call, look)], [])


async def test_a_call_of_an_earlier_turn_does_not_run_again() -> None:
    call = function_call("look", call_id="1")

    assert await decide_after(Agent("a", tools=[tool("look")]), reply(call), output("1"), reply(call)) == CallModel()


async def test_a_message_beside_a_repeated_call_ends_the_run() -> None:
    call = function_call("look", call_id="1")
    entries = [reply(call), output("1"), reply(call, text_message("done"))]

    assert await decide_after(Agent("a", tools=[tool("look")]), *entries) == Finish("done")


async def test_another_call_of_the_same_id_is_an_error() -> None:
    calls = [function_call("look", {"x": number}, call_id="1") for number in (1, 2)]

    with pytest.raises(ModelBehaviorError, match="call id `1` again"):
        await decide_after(Agent("a", tools=[tool("look")]), reply(calls[0]), output("1"), reply(calls[1]))


async def test_a_call_without_an_id_is_an_error() -> None:
    with pytest.raises(ModelBehaviorError, match="without a call id"):
        await decide_after(Agent("a", tools=[tool("look")]), reply(function_call("look", call_id="")))


async def test_a_call_that_needs_an_executor_is_an_error() -> None:
    with pytest.raises(ModelBehaviorError, match="`computer_call`, for which there is no executor"):
        await decide_after(Agent("a"), reply({"type": "computer_call", "call_id": "1"}))
