"""Section K: hooks and their order."""

from pydantic import BaseModel

from tests.conformance.case import case
from tests.support.model_server import message, tool_call


class Report(BaseModel):
    title: str


LOOK, TO_B, DONE = [tool_call("look")], [tool_call("transfer_to_{case}_b")], [message("done")]


@case([LOOK, TO_B, LOOK, DONE], records_hooks=True)
def hooks_of_the_run_see_every_agent(kit):
    look = kit.tool("look", {"a": 1})
    return kit.agent("a", instructions="Look.", tools=[look], handoffs=[kit.agent("b", tools=[look])])


@case([LOOK, TO_B, LOOK, DONE], records_hooks=True)
def hooks_of_agents_run_after_those_of_the_run(kit):
    look = kit.tool("look")
    b = kit.agent("b", tools=[look], hooks=kit.agent_hooks())
    return kit.agent("a", tools=[look], handoffs=[b], hooks=kit.agent_hooks())


@case([TO_B, DONE])
def hooks_of_an_agent_see_that_agent_only(kit):
    return kit.agent("a", handoffs=[kit.agent("b")], hooks=kit.agent_hooks())


@case([TO_B, DONE])
def the_next_agents_hooks_are_not_told_of_the_handoff(kit):
    return kit.agent("a", handoffs=[kit.agent("b", hooks=kit.agent_hooks())])


@case([TO_B, [tool_call("transfer_to_{case}_a")], DONE], records_hooks=True)
def an_agent_that_returns_starts_again(kit):
    a = kit.agent("a")
    a.handoffs.append(kit.agent("b", handoffs=[a]))
    return a


@case([[message('{"title": "T"}')]], records_hooks=True)
def hooks_get_the_typed_output(kit):
    return kit.agent(output_type=Report, hooks=kit.agent_hooks())


@case([[tool_call("fail")], DONE], records_hooks=True)
def hooks_are_told_how_a_failed_tool_ended(kit):
    return kit.agent(tools=[kit.tool("fail", ValueError("x"))])


@case([[tool_call("fail")], DONE], records_hooks=True)
def hooks_are_not_told_the_end_of_a_fatal_tool(kit):
    return kit.agent(tools=[kit.tool("fail", ValueError("x"), failure_error_function=None)])


@case([[tool_call("unknown")]], records_hooks=True)
def hooks_do_not_see_unknown_tools(kit):
    return kit.agent(tools=[kit.tool("look")])


@case([[message("no JSON")]], records_hooks=True)
def hooks_do_not_see_the_end_of_a_failed_run(kit):
    return kit.agent(output_type=Report)


@case([[tool_call("look")]], records_hooks=True)
def hooks_see_the_output_of_a_tool_as_the_answer(kit):
    return kit.agent(tools=[kit.tool("look", {"a": 1})], tool_use_behavior="stop_on_first_tool")


@case({"": [[tool_call("ask", {"input": "Why?"})], DONE], "child": [[message("Because.")]]})
def hooks_of_called_agents_run(kit):
    child = kit.agent("child", model="child", hooks=kit.agent_hooks())
    ask = child.as_tool(tool_name="ask", tool_description="Asks.")
    return kit.agent(tools=[ask], hooks=kit.agent_hooks())


@case([DONE], records_hooks=True)
def a_hook_that_fails_ends_the_run(kit):
    class Failing(kit.AgentHooks):
        async def on_start(self, context, agent):
            raise KeyError("no")

    return kit.agent(hooks=Failing())


def _failing(kit, method):
    class Failing(kit.AgentHooks):
        pass

    async def fail(self, *args, **kwargs):
        raise KeyError(method)

    setattr(Failing, method, fail)
    return kit.agent("a", tools=[kit.tool("look")], handoffs=[kit.agent("b")], hooks=Failing())


# There, whatever goes wrong around a tool is wrapped.
AROUND_A_TOOL = {"error": ("KeyError", "UserError")}


@case([LOOK, DONE], differs=AROUND_A_TOOL)
def a_hook_that_fails_before_a_tool_ends_the_run(kit):
    return _failing(kit, "on_tool_start")


@case([LOOK, DONE], differs=AROUND_A_TOOL)
def a_hook_that_fails_after_a_tool_ends_the_run(kit):
    return _failing(kit, "on_tool_end")


@case([LOOK, DONE])
def a_hook_that_fails_before_a_call_ends_the_run(kit):
    return _failing(kit, "on_llm_start")


@case([LOOK, DONE])
def a_hook_that_fails_after_a_call_ends_the_run(kit):
    return _failing(kit, "on_llm_end")


@case([TO_B, DONE])
def a_hook_that_fails_at_a_handoff_ends_the_run(kit):
    return _failing(kit, "on_handoff")


@case([DONE])
def a_hook_that_fails_at_the_end_ends_the_run(kit):
    return _failing(kit, "on_end")


@case([LOOK, DONE], context={"log": []})
def hooks_may_change_the_context(kit):
    class Logging(kit.AgentHooks):
        async def on_tool_start(self, context, agent, tool):
            context.context["log"] = [*context.context["log"], tool.name]

        async def on_end(self, context, agent, output):
            context.context["log"] = [*context.context["log"], output]

    return kit.agent(tools=[kit.tool("look")], hooks=Logging())
