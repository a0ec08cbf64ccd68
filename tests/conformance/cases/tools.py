"""Section C: how tools are shown and run."""

import asyncio
import time
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from tests.conformance.case import case
from tests.support.model_server import message, tool_call


class Place(BaseModel):
    city: str
    country: str | None = None


DONE = [message("done")]


@case(
    [[tool_call("book", {"place": {"city": "Rome", "country": None}, "nights": 2, "kind": "quiet", "tags": []})], DONE]
)
def a_tools_schema_comes_from_its_signature(kit):
    def book(
        place: Place,
        nights: Annotated[int, Field(ge=1, le=30)],
        kind: Literal["quiet", "loud"] = "quiet",
        tags: Annotated[list[str] | None, "What to look for"] = None,
    ) -> str:
        """Books a room.

        Over several lines.

        Args:
            place: Where to sleep.
            nights: How long.
        """
        kit.record(place.city, nights, kind, tags)
        return "booked"

    return kit.agent(tools=[kit.function_tool(book)])


@case([[tool_call("anything", {"a": 1, "b": {"c": [1, 2]}})], DONE])
def a_tools_schema_need_not_be_strict(kit):
    def anything(a: int, b: dict[str, Any], c: float = 1.5) -> str:
        kit.record(a, b, c)
        return "ok"

    return kit.agent(tools=[kit.function_tool(anything, strict_mode=False)])


@case([[tool_call("renamed", {"x": 1})], DONE])
def a_tool_may_be_renamed_and_described(kit):
    def original(x: int) -> str:
        """Not shown.

        Args:
            x: Not shown.
        """
        return "ok"

    tool = kit.function_tool(original, name_override="renamed", description_override="Shown.", use_docstring_info=False)
    return kit.agent(tools=[tool])


@case([[tool_call("look", {"x": 1}, call_id="c1")], DONE], context={"customer": "Ada"})
def a_tool_gets_the_context_and_its_call(kit):
    async def look(ctx: kit.ToolContext[dict], x: int) -> str:
        kit.record(ctx.context, ctx.tool_name, ctx.tool_call_id, ctx.tool_arguments)
        return "ok"

    return kit.agent(tools=[kit.function_tool(look)])


@case([[tool_call("mark")], [tool_call("mark")], DONE], context={"marks": 0})
def tools_change_the_context(kit):
    def mark(ctx: kit.RunContext[dict]) -> int:
        ctx.context["marks"] += 1
        return ctx.context["marks"]

    return kit.agent(tools=[kit.function_tool(mark)])


@case([[tool_call("mark")], DONE], context={"total": 1, "by": "Ada"})
def sync_tools_run_in_a_thread(kit):
    def mark() -> str:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return "no loop"
        return "a loop"

    return kit.agent(tools=[kit.function_tool(mark)])


# ---- side by side -------------------------------------------------------------------------------


@case([[tool_call("slow", {"n": 1}), tool_call("quick", {"n": 2}), tool_call("slow", {"n": 3})], DONE])
def outputs_are_in_the_order_of_the_calls(kit):
    async def slow(n: int) -> str:
        await asyncio.sleep(0.5 * n)
        kit.record("slow", n)
        return f"slow {n}"

    def quick(n: int) -> str:
        kit.record("quick", n)
        return f"quick {n}"

    return kit.agent(tools=[kit.function_tool(slow), kit.function_tool(quick)])


@case([[tool_call("meet"), tool_call("meet")], DONE])
def calls_of_one_reply_run_side_by_side(kit):
    waiting = []

    async def meet() -> str:
        waiting.append(1)
        deadline = time.monotonic() + 60
        while len(waiting) < 2 and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        return f"met {len(waiting)}"

    return kit.agent(tools=[kit.function_tool(meet)])


@case([[tool_call("work", {"n": n}) for n in range(4)], DONE], options={"max_function_tool_concurrency": 1})
def calls_may_be_limited_to_one_at_a_time(kit):
    going = []

    async def work(n: int) -> str:
        going.append(n)
        kit.record(n, len(going))
        await asyncio.sleep(0.02)
        going.remove(n)
        return str(n)

    return kit.agent(tools=[kit.function_tool(work)])


# ---- on a queue of their own --------------------------------------------------------------------


def _queued(kit, function, **options):
    # Such tools are tasks: no two may share a name.
    return kit.function_tool(function, name_override=f"{kit.case.name}_tool", **kit.queued(), **options)


@case(
    [[tool_call("{case}_tool", {"a": 1}), tool_call("look"), tool_call("{case}_tool", {"a": 2})], DONE],
    is_parallel=True,
)
def tools_may_run_on_a_queue(kit):
    def double(a: int) -> dict:
        kit.record(a)
        return {"doubled": 2 * a}

    return kit.agent(tools=[_queued(kit, double), kit.tool("look")])


@case([[tool_call("{case}_tool")], DONE])
def an_exception_on_a_queue_is_told_to_the_model(kit):
    def fail() -> str:
        raise ValueError("secret")

    return kit.agent(tools=[_queued(kit, fail)])


@case([[tool_call("{case}_tool")], DONE])
def an_exception_on_a_queue_may_end_the_run(kit):
    def fail() -> str:
        raise ValueError("fatal")

    return kit.agent(tools=[_queued(kit, fail, failure_error_function=None)])


@case([[tool_call("{case}_tool", "{broken")], DONE])
def arguments_that_are_no_json_are_told_from_a_queue(kit):
    def double(a: int) -> int:
        return 2 * a

    return kit.agent(tools=[_queued(kit, double)])


@case([[tool_call("{case}_tool")], DONE], context={"marks": 1, "kept": "k"})
def a_tool_on_a_queue_changes_the_context(kit):
    def mark(ctx: kit.ToolContext[dict]) -> str:
        ctx.context["marks"] += 1
        return f"{ctx.tool_name} {ctx.context['kept']}"

    return kit.agent(tools=[_queued(kit, mark)], instructions=lambda ctx, agent: str(ctx.context["marks"]))


@case([[tool_call("{case}_tool")]])
def the_output_of_a_tool_on_a_queue_may_be_the_answer(kit):
    def look() -> Place:
        return Place(city="Rome")

    return kit.agent(tools=[_queued(kit, look)], tool_use_behavior="stop_on_first_tool", output_type=Place)


@case([[tool_call("{case}_tool"), tool_call("transfer_to_{case}_b")], DONE])
def a_tool_on_a_queue_answers_before_a_handoff(kit):
    def look() -> str:
        kit.record("looked")
        return "seen"

    return kit.agent("a", tools=[_queued(kit, look)], handoffs=[kit.agent("b")])


# ---- typed contexts -----------------------------------------------------------------------------


class Basket(BaseModel):
    items: list[str] = []
    owner: Place | None = None


@dataclass
class Counter:
    count: int
    names: list[str]


@case([[tool_call("put", {"item": "pear"})], DONE], context=Basket(items=["apple"], owner=Place(city="Rome")))
def the_context_may_be_a_pydantic_model(kit):
    def put(ctx: kit.RunContext[Basket], item: str) -> str:
        ctx.context.items.append(item)
        return f"{ctx.context.owner.city}: {len(ctx.context.items)}"

    return kit.agent(tools=[kit.function_tool(put)], instructions=lambda ctx, agent: repr(ctx.context))


@case([[tool_call("count", {"name": "b"})], DONE], context=Counter(1, ["a"]))
def the_context_may_be_a_dataclass(kit):
    def count(ctx: kit.RunContext[Counter], name: str) -> str:
        ctx.context.count += 1
        ctx.context.names.append(name)
        return repr(ctx.context)

    return kit.agent(tools=[kit.function_tool(count)], instructions=lambda ctx, agent: repr(ctx.context))
