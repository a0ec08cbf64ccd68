"""Section C: tools that fail, and that take too long."""

import asyncio

from tests.conformance.case import case
from tests.support.model_server import message, tool_call

DONE = [message("done")]


# ---- failures -----------------------------------------------------------------------------------


@case([[tool_call("fail")], DONE])
def an_exception_is_told_to_the_model(kit):
    return kit.agent(tools=[kit.tool("fail", ValueError("secret"))])


@case([[tool_call("fail")], DONE])
def what_is_told_of_an_exception_may_be_chosen(kit):
    async def explain(context, error):
        return f"{type(error).__name__}: {error}"

    return kit.agent(tools=[kit.tool("fail", ValueError("public"), failure_error_function=explain)])


@case([[tool_call("fail")], DONE])
def an_exception_may_end_the_run(kit):
    return kit.agent(tools=[kit.tool("fail", ValueError("fatal"), failure_error_function=None)])


@case([[tool_call("fail")], DONE])
def a_failure_function_that_fails_ends_the_run(kit):
    def explain(context, error):
        raise KeyError("again")

    return kit.agent(tools=[kit.tool("fail", ValueError("x"), failure_error_function=explain)])


@case([[tool_call("quick"), tool_call("fail"), tool_call("slow")], DONE])
def a_fatal_exception_cancels_the_other_calls(kit):
    async def slow() -> str:
        await asyncio.sleep(20)
        kit.record("slow has run")
        return "slow"

    async def fail() -> str:
        await asyncio.sleep(0.1)
        raise ValueError("fatal")

    fatal = kit.function_tool(fail, failure_error_function=None)
    return kit.agent(tools=[kit.tool("quick"), fatal, kit.function_tool(slow)])


@case([[tool_call("by_hand", {"x": 1})], DONE])
def a_tool_may_be_made_by_hand(kit):
    async def invoke(context, arguments):
        kit.record(arguments)
        return "ok"

    schema = {"type": "object", "properties": {"x": {"type": "integer"}}}
    tool = kit.FunctionTool(
        name="by_hand", description="Made by hand.", params_json_schema=schema, on_invoke_tool=invoke
    )
    return kit.agent(tools=[tool])


@case([[tool_call("by_hand")], DONE])
def an_exception_of_a_tool_made_by_hand_ends_the_run(kit):
    async def invoke(context, arguments):
        raise ValueError("fatal")

    tool = kit.FunctionTool(
        name="by_hand",
        description="Made by hand.",
        params_json_schema={"type": "object", "properties": {}},
        on_invoke_tool=invoke,
    )
    return kit.agent(tools=[tool])


@case([[tool_call("cancel")], DONE])
def a_tool_that_cancels_itself_has_failed(kit):
    async def cancel() -> str:
        raise asyncio.CancelledError

    return kit.agent(tools=[kit.function_tool(cancel)])


# ---- timeouts -----------------------------------------------------------------------------------


async def sleep() -> str:
    await asyncio.sleep(5)
    return "awake"


@case([[tool_call("sleep")], DONE])
def a_timeout_is_told_to_the_model(kit):
    return kit.agent(tools=[kit.function_tool(sleep, timeout=0.02)])


@case([[tool_call("sleep")], DONE])
def what_is_told_of_a_timeout_may_be_chosen(kit):
    tool = kit.function_tool(sleep, timeout=0.02, timeout_error_function=lambda context, error: "too slow")
    return kit.agent(tools=[tool])


@case([[tool_call("sleep")], DONE])
def a_timeout_may_end_the_run(kit):
    return kit.agent(tools=[kit.function_tool(sleep, timeout=0.02, timeout_behavior="raise_exception")])


@case([[tool_call("give_up")], DONE])
def a_timeout_of_the_tools_own_is_an_exception(kit):
    async def give_up() -> str:
        raise TimeoutError("the other side")

    def explain(context, error):
        return f"{type(error).__name__}: {error}"

    return kit.agent(tools=[kit.function_tool(give_up, timeout=5, failure_error_function=explain)])
