"""Section B: when a tool's output is the answer, which tools the model must use, and what they are called."""

from pydantic import BaseModel

from tests.conformance.case import case
from tests.support.model_server import message, tool_call


class Report(BaseModel):
    title: str


SEARCH = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}}


# ---- tool_use_behavior --------------------------------------------------------------------------


@case([[tool_call("one"), tool_call("two")]], is_parallel=True)
def stop_on_first_tool_answers_with_the_first_call(kit):
    tools = [kit.tool("two", "second"), kit.tool("one", "first")]
    return kit.agent(tools=tools, tool_use_behavior="stop_on_first_tool")


@case([[tool_call("one")]])
def stop_on_first_tool_answers_with_the_values_text(kit):
    return kit.agent(tools=[kit.tool("one", {"a": 1})], tool_use_behavior="stop_on_first_tool")


@case([[tool_call("one")]])
def stop_on_first_tool_answers_with_a_models_text(kit):
    return kit.agent(tools=[kit.tool("one", Report(title="T"))], tool_use_behavior="stop_on_first_tool")


@case([[tool_call("one")]])
def stop_on_first_tool_answers_with_the_text_of_none(kit):
    return kit.agent(tools=[kit.tool("one", None)], tool_use_behavior="stop_on_first_tool")


@case([[tool_call("one")]])
def stop_on_first_tool_answers_with_a_failures_text(kit):
    return kit.agent(tools=[kit.tool("one", ValueError("no"))], tool_use_behavior="stop_on_first_tool")


@case([[tool_call("one")]])
def a_tools_value_is_the_structured_answer(kit):
    tools = [kit.tool("one", Report(title="T"))]
    return kit.agent(tools=tools, tool_use_behavior="stop_on_first_tool", output_type=Report)


@case([[tool_call("one")]])
def a_tools_value_is_not_validated(kit):
    return kit.agent(tools=[kit.tool("one", "raw")], tool_use_behavior="stop_on_first_tool", output_type=Report)


@case([[tool_call("one")], [tool_call("three"), tool_call("two")]], is_parallel=True)
def stop_at_tools_waits_for_a_listed_tool(kit):
    tools = [kit.tool("one"), kit.tool("two", "second"), kit.tool("three")]
    return kit.agent(tools=tools, tool_use_behavior=kit.StopAtTools(stop_at_tool_names=["two"]))


@case([[tool_call("one"), tool_call("two")]], is_parallel=True)
def a_function_may_decide_whether_tools_are_the_answer(kit):
    def decide(context, results):
        text = ", ".join(f"{result.tool.name}={result.output}" for result in results)
        return kit.ToolsToFinalOutputResult(is_final_output=True, final_output=text)

    return kit.agent(tools=[kit.tool("one", 1), kit.tool("two", 2)], tool_use_behavior=decide)


@case([[tool_call("one")], [tool_call("one")], [message("enough")]])
def an_async_function_may_let_the_model_go_on(kit):
    async def decide(context, results):
        return kit.ToolsToFinalOutputResult(is_final_output=False)

    return kit.agent(tools=[kit.tool("one")], tool_use_behavior=decide)


@case([[tool_call("one")]])
def a_function_may_answer_with_nothing(kit):
    def decide(context, results):
        return kit.ToolsToFinalOutputResult(is_final_output=True)

    return kit.agent(tools=[kit.tool("one")], tool_use_behavior=decide)


@case([[tool_call("one")]])
def an_exception_of_that_function_ends_the_run(kit):
    def decide(context, results):
        raise KeyError("no")

    return kit.agent(tools=[kit.tool("one")], tool_use_behavior=decide)


@case([[tool_call("one")], [message("done")]])
def that_function_must_return_its_result(kit):
    return kit.agent(tools=[kit.tool("one")], tool_use_behavior=lambda context, results: None)


@case([[tool_call("one")]])
def that_function_may_answer_with_any_value(kit):
    def decide(context, results):
        return kit.ToolsToFinalOutputResult(is_final_output=True, final_output=Report(title="T"))

    return kit.agent(tools=[kit.tool("one")], tool_use_behavior=decide, output_type=Report)


@case([[tool_call("unknown")], [tool_call("look")]], options={"tool_not_found_behavior": "return_error_to_model"})
def an_unknown_tool_is_nothing_to_stop_on(kit):
    return kit.agent(tools=[kit.tool("look")], tool_use_behavior="stop_on_first_tool")


@case([[tool_call("transfer_to_{case}_b")], [message("done")]])
def handoffs_are_no_tools_to_stop_on(kit):
    return kit.agent("a", handoffs=[kit.agent("b")], tool_use_behavior="stop_on_first_tool")


# ---- tool choice --------------------------------------------------------------------------------


@case([[tool_call("look")], [message("done")]])
def tool_choice_is_reset_after_a_tool(kit):
    return kit.agent(tools=[kit.tool("look")], model_settings=kit.ModelSettings(tool_choice="required"))


@case([[tool_call("look")], [message("done")]])
def tool_choice_may_stay(kit):
    settings = kit.ModelSettings(tool_choice="look")
    return kit.agent(tools=[kit.tool("look")], model_settings=settings, reset_tool_choice=False)


@case([[tool_call("look")], [tool_call("transfer_to_{case}_b")], [tool_call("look")], [message("done")]])
def the_next_agents_tool_choice_survives_a_handoff(kit):
    look, required = kit.tool("look"), kit.ModelSettings(tool_choice="required")
    other = kit.agent("b", tools=[look], model_settings=required)
    return kit.agent("a", tools=[look], handoffs=[other], model_settings=required)


@case(
    [
        [tool_call("look")],
        [tool_call("transfer_to_{case}_b")],
        [tool_call("transfer_to_{case}_a")],
        [message("done")],
    ]
)
def tool_choice_stays_reset_when_an_agent_returns(kit):
    required = kit.ModelSettings(tool_choice="required")
    a = kit.agent("a", tools=[kit.tool("look")], model_settings=required)
    a.handoffs.append(kit.agent("b", handoffs=[a], model_settings=required))
    return a


@case([[tool_call("transfer_to_{case}_b")], [tool_call("transfer_to_{case}_a")], [message("done")]])
def a_handoff_alone_and_tool_choice(kit):
    required = kit.ModelSettings(tool_choice="required")
    a = kit.agent("a", tools=[kit.tool("look")], model_settings=required)
    a.handoffs.append(kit.agent("b", handoffs=[a], model_settings=required))
    return a


@case([[SEARCH], [message("done")]])
def hosted_tools_and_tool_choice(kit):
    return kit.agent(tools=[kit.web_search()], model_settings=kit.ModelSettings(tool_choice="web_search"))


# ---- names --------------------------------------------------------------------------------------


@case([[tool_call("transfer_to_{case}_b")], [message("done")]])
def a_handoff_hides_a_tool_of_its_name(kit):
    tool = kit.tool(f"transfer_to_{kit.case.name}_b")
    return kit.agent("a", tools=[tool, kit.tool("look")], handoffs=[kit.agent("b")])


@case([[tool_call("look")], [message("done")]])
def the_later_of_two_tools_wins(kit):
    first = kit.tool("look", "first")
    second = kit.tool("look", "second", description_override="Looks twice.")
    return kit.agent(tools=[first, kit.tool("zoom"), second])


@case([[message("never asked")]], options={"tool_name_collision_policy": "error"})
def two_tools_of_one_name_may_be_an_error(kit):
    return kit.agent(tools=[kit.tool("look"), kit.tool("look")])


@case([[message("never asked")]], options={"tool_name_collision_policy": "error"})
def a_tool_and_a_handoff_of_one_name_may_be_an_error(kit):
    return kit.agent("a", tools=[kit.tool(f"transfer_to_{kit.case.name}_b")], handoffs=[kit.agent("b")])


@case([[message("never asked")]], options={"tool_name_collision_policy": "error"})
def two_handoffs_of_one_name_may_be_an_error(kit):
    override = {"tool_name_override": "pass_on"}
    return kit.agent("a", handoffs=[kit.handoff(kit.agent("b"), **override), kit.handoff(kit.agent("c"), **override)])


@case([[tool_call("pass_on")], [message("done")]])
def two_handoffs_of_one_name(kit):
    override = {"tool_name_override": "pass_on"}
    return kit.agent("a", handoffs=[kit.handoff(kit.agent("b"), **override), kit.handoff(kit.agent("c"), **override)])
