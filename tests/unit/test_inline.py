"""Runs in this process, without broker or server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel

from orchestrator.agent import Agent
from orchestrator.context import RunContext
from orchestrator.errors import ContextNotSerializable, ModelBehaviorError
from orchestrator.hooks import RunHooks
from orchestrator.inline import arun_inline, run_inline
from orchestrator.testing import ScriptedModel, function_call, text_message
from orchestrator.tool import function_tool


class Basket(BaseModel):
    items: list[str] = []


def test_the_result_has_everything_to_show() -> None:
    look = function_tool(lambda: "seen", name_override="look")
    model = ScriptedModel([function_call("look"), "done"])

    result = run_inline(Agent("a", model=model, tools=[look]), "Hi")

    assert (result.final_output, result.last_agent, result.usage.requests) == ("done", "a", 2)
    assert [item["type"] for item in result.new_items] == ["function_call", "function_call_output", "message"]
    assert result.to_input_list() == [{"role": "user", "content": "Hi"}, *result.new_items]


def test_the_context_comes_back_typed() -> None:
    def put(ctx: RunContext[Basket], item: str) -> str:
        ctx.context.items.append(item)
        return "put"

    model = ScriptedModel([function_call("put", {"item": "pear"}), "done"])

    result = run_inline(Agent("a", model=model, tools=[function_tool(put)]), "Hi", context=Basket())

    assert result.context == Basket(items=["pear"])


def test_the_producers_context_is_left_alone() -> None:
    def put(ctx: RunContext[Basket]) -> str:
        ctx.context.items.append("pear")
        return "put"

    given = Basket()
    run_inline(
        Agent("a", model=ScriptedModel([function_call("put"), "done"]), tools=[function_tool(put)]), "Hi", context=given
    )

    assert given == Basket()


def test_a_tool_with_a_queue_runs_here_too() -> None:
    look = function_tool(lambda: {"n": 1}, name_override="look", queue="cpu")
    model = ScriptedModel([function_call("look"), "done"])

    result = run_inline(Agent("a", model=model, tools=[look]), "Hi")

    assert result.new_items[1]["output"] == "{'n': 1}"


def test_called_agents_run_side_by_side() -> None:
    waiting: list[int] = []

    async def meet(context: RunContext[Any], agent: Agent[Any]) -> str:
        waiting.append(1)
        async with asyncio.timeout(60):
            while len(waiting) < 2:
                await asyncio.sleep(0.001)
        return "met"

    children = [Agent(name, instructions=meet, model=ScriptedModel(["x"])) for name in ("b", "c")]
    calls = [function_call(name, {"input": "?"}) for name in ("b", "c")]
    agent = Agent("a", model=ScriptedModel([calls, "done"]), tools=[child.as_tool() for child in children])

    assert run_inline(agent, "Hi").final_output == "done"


def test_what_ended_the_run_is_raised() -> None:
    with pytest.raises(ModelBehaviorError, match="called `zoom`"):
        run_inline(Agent("a", model=ScriptedModel([function_call("zoom")])), "Hi")


def test_hooks_see_every_agent() -> None:
    started: list[str] = []

    class Recorder(RunHooks):
        async def on_agent_start(self, context: RunContext[Any], agent: Agent[Any]) -> None:
            started.append(agent.name)

    model = ScriptedModel([function_call("transfer_to_b"), "done"])

    run_inline(Agent("a", model=model, handoffs=[Agent("b", model=model)]), "Hi", hooks=[Recorder()])

    assert started == ["a", "b"]


async def test_it_can_be_awaited() -> None:
    result = await arun_inline(Agent("a", model=ScriptedModel(["done"])), [text_message("earlier")])

    assert result.to_input_list() == [text_message("earlier"), text_message("done")]


async def test_a_hook_of_the_tool_sees_its_raw_value() -> None:
    seen: list[Any] = []

    class Recorder(RunHooks):
        async def on_tool_end(self, context: Any, agent: Agent[Any], tool: Any, result: Any) -> None:
            seen.append(result)

    look = function_tool(lambda: Basket(items=["pear"]), name_override="look")
    agent = Agent("a", model=ScriptedModel([function_call("look"), "done"]), tools=[look])

    await arun_inline(agent, "Hi", hooks=[Recorder()])

    assert seen == [Basket(items=["pear"])]


def test_a_context_of_another_shape_is_refused() -> None:
    agent = Agent("a", model=ScriptedModel(["done"]), context_type=Basket)

    with pytest.raises(ContextNotSerializable, match="is no Basket: `items`"):
        run_inline(agent, "Hi", context={"items": 3})
