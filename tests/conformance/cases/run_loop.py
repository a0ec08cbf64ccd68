"""Section B: what a reply leads to."""

from pydantic import BaseModel

from tests.conformance.case import case
from tests.support.model_server import Reply, error, message, refusal, tool_call, usage


class Report(BaseModel):
    title: str


REASONING = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]}
SEARCH = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}}


@case([[message("first"), message("last")]])
def the_last_message_is_the_answer(kit):
    return kit.agent()


@case([[]])
def an_empty_reply_ends_with_empty_text(kit):
    return kit.agent()


@case([[message("")]])
def an_empty_message_ends_with_empty_text(kit):
    return kit.agent()


@case([[], [message('{"title": "T"}')]])
def an_empty_reply_with_an_output_type_is_another_turn(kit):
    return kit.agent(output_type=Report)


@case([[message("")], [message('{"title": "T"}')]])
def an_empty_message_with_an_output_type_is_another_turn(kit):
    return kit.agent(output_type=Report)


@case([[refusal("I must not.")]])
def a_refusal_is_an_error(kit):
    return kit.agent()


@case([[refusal("I must not.")], [message('{"title": "T"}')]])
def a_refusal_with_an_output_type_is_an_error(kit):
    return kit.agent(output_type=Report)


MIXED = message("Here is a part.")
MIXED["content"].append({"type": "refusal", "refusal": "The rest I must not say."})


@case([[MIXED]])
def a_refusal_beside_text_is_an_error(kit):
    return kit.agent()


@case([[SEARCH], [message("found")]])
def hosted_tools_alone_are_another_turn(kit):
    return kit.agent(tools=[kit.web_search()])


@case([[SEARCH, message("found")]])
def hosted_tools_with_a_message_are_the_answer(kit):
    return kit.agent(tools=[kit.web_search()])


@case([[REASONING]])
def reasoning_alone_ends_with_empty_text(kit):
    return kit.agent()


@case([[REASONING], [message('{"title": "T"}')]])
def reasoning_alone_with_an_output_type_is_another_turn(kit):
    return kit.agent(output_type=Report)


@case([[REASONING, tool_call("look")], [message("done")]])
def reasoning_stays_before_its_call(kit):
    return kit.agent(tools=[kit.tool("look")])


@case([[message("I will look."), tool_call("look")], [message("done")]])
def a_message_beside_a_call_is_not_the_answer(kit):
    return kit.agent(tools=[kit.tool("look")])


@case([[message('{"title": "early"}'), tool_call("look")], [message('{"title": "late"}')]])
def structured_output_beside_a_call_is_not_the_answer(kit):
    return kit.agent(tools=[kit.tool("look")], output_type=Report)


@case([[tool_call("look")] for _ in range(11)])
def ten_turns_are_the_default_limit(kit):
    return kit.agent(tools=[kit.tool("look")])


@case([[tool_call("look")] for _ in range(3)], options={"max_turns": 2})
def tools_of_the_last_turn_still_run(kit):
    return kit.agent(tools=[kit.tool("look")])


@case([[message("never asked")]], options={"max_turns": 0})
def no_turns_means_no_call(kit):
    return kit.agent()


@case([*([tool_call("look")] for _ in range(12)), [message("done")]], options={"max_turns": None})
def turns_may_be_unlimited(kit):
    return kit.agent(tools=[kit.tool("look")])


@case([[tool_call("look")], [tool_call("transfer_to_{case}_b")], [tool_call("look")], []], options={"max_turns": 3})
def turns_are_counted_over_handoffs(kit):
    look = kit.tool("look")
    return kit.agent("a", tools=[look], handoffs=[kit.agent("b", tools=[look])])


# ---- tool_use_behavior ---------------------------------------------------------------------------


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


# ---- tool choice ---------------------------------------------------------------------------------


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


# ---- names ---------------------------------------------------------------------------------------


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


# ---- errors and error handlers -------------------------------------------------------------------


@case([[message("never asked")]], options={"tool_name_collision_policy": "error"})
def two_handoffs_of_one_name_may_be_an_error(kit):
    override = {"tool_name_override": "pass_on"}
    return kit.agent("a", handoffs=[kit.handoff(kit.agent("b"), **override), kit.handoff(kit.agent("c"), **override)])


@case([[tool_call("pass_on")], [message("done")]])
def two_handoffs_of_one_name(kit):
    override = {"tool_name_override": "pass_on"}
    return kit.agent("a", handoffs=[kit.handoff(kit.agent("b"), **override), kit.handoff(kit.agent("c"), **override)])


# ---- items that are neither messages nor function calls ------------------------------------------


def hosted(kind, **fields):
    return {"type": kind, "id": f"{kind}_1", "status": "completed", **fields}


@case(
    [
        [hosted("file_search_call", queries=["q"], results=None)],
        [hosted("code_interpreter_call", code="1", container_id="c", outputs=None)],
        [hosted("image_generation_call", result="aGk=")],
        [message("done")],
    ]
)
def calls_of_other_hosted_tools_are_another_turn(kit):
    return kit.agent()


@case([[{"type": "mcp_list_tools", "id": "m", "server_label": "s", "tools": []}]])
def a_list_of_mcp_tools_alone(kit):
    return kit.agent()


@case([[{"type": "mcp_call", "id": "m", "server_label": "s", "name": "n", "arguments": "{}"}], [message("done")]])
def a_hosted_mcp_call_alone_is_another_turn(kit):
    return kit.agent()


@case([[SEARCH, tool_call("look")], [message("done")]])
def hosted_tools_beside_a_call(kit):
    return kit.agent(tools=[kit.tool("look")])


@case([[hosted("local_shell_call", call_id="c1", action={"type": "exec", "command": ["ls"], "env": {}})]])
def a_local_shell_call_without_an_executor_is_an_error(kit):
    return kit.agent()


@case([[hosted("computer_call", call_id="c1", pending_safety_checks=[], action={"type": "screenshot"})]])
def a_computer_call_without_a_computer_is_an_error(kit):
    return kit.agent()


@case([[{"type": "custom_tool_call", "id": "ct", "call_id": "c1", "name": "raw", "input": "text"}]])
def a_custom_tool_call_without_the_tool_is_an_error(kit):
    return kit.agent()


# ---- replies that are odd ------------------------------------------------------------------------


@case(
    [
        Reply(
            items=[message("cut off")],
            changes={"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
        )
    ]
)
def an_incomplete_reply(kit):
    return kit.agent()


@case([Reply(changes={"status": "failed", "error": {"code": "server_error", "message": "ouch"}})])
def a_failed_reply(kit):
    return kit.agent()


# There, parsing fails somewhere.
@case([Reply(body="<html>")], differs={"error": ("ModelBehaviorError", "AttributeError")})
def a_reply_that_is_no_json(kit):
    return kit.agent()


@case([Reply(items=[message("done")], changes={"usage": None})])
def a_reply_without_usage(kit):
    return kit.agent()


# ---- what a caller gives -------------------------------------------------------------------------

CALL = {"type": "function_call", "call_id": "old", "name": "gone", "arguments": "{}"}


@case([[message("done")]], input=[{"role": "user", "content": "One"}, CALL])
def a_call_without_output_in_the_input_stays(kit):
    return kit.agent()


@case(
    [[message("done")]],
    input=[
        {"role": "user", "content": "One"},
        CALL,
        {"type": "function_call_output", "call_id": "old", "output": "first"},
        {"type": "function_call_output", "call_id": "old", "output": "second"},
    ],
)
def two_outputs_of_one_call_in_the_input(kit):
    return kit.agent()


@case(
    [[tool_call("mark", call_id="old")], [message("done")]],
    input=[
        {"role": "user", "content": "One"},
        {**CALL, "name": "mark"},
        {"type": "function_call_output", "call_id": "old", "output": "first"},
    ],
)
def a_call_id_of_the_input_may_come_again(kit):
    return kit.agent(tools=[kit.tool("mark")])


@case([[message("done")]], input="")
def an_empty_text_is_an_input(kit):
    return kit.agent()


@case([error(400, "no such thing")])
def a_bad_request_is_an_error(kit):
    return kit.agent()


@case([error(401, "who are you")])
def a_wrong_key_is_an_error(kit):
    return kit.agent()


@case([error(404, "which model")])
def an_unknown_model_is_an_error(kit):
    return kit.agent()


@case([error(429, "slowly")])
def a_rate_limit_is_an_error(kit):
    return kit.agent()


@case([error(500, "ouch")])
def a_broken_server_is_an_error(kit):
    return kit.agent()


@case([Reply(drop="before")])
def a_dropped_connection_is_an_error(kit):
    return kit.agent()


@case([Reply(items=[message("slow")], delay_seconds=1.0)])
def a_slow_server_is_an_error(kit):
    if type(kit).__name__ == "SdkKit":
        return kit.agent(model_settings=kit.ModelSettings(extra_args={"timeout": 0.1}))
    return kit.agent(model_settings=kit.ModelSettings(timeout=0.1))


@case([[tool_call("look")], error(500, "ouch")])
def an_error_in_a_later_turn_keeps_the_effects(kit):
    return kit.agent(tools=[kit.tool("look")])


def answer(given):
    return f"handled {type(given.error).__name__}"


@case([[tool_call("look")], []], options={"max_turns": 1})
def a_handler_answers_when_turns_run_out(kit):
    return kit.agent(tools=[kit.tool("look")], error_handlers={"max_turns": answer})


@case([[tool_call("look")], []], options={"max_turns": 1})
def a_handler_may_decline(kit):
    return kit.agent(tools=[kit.tool("look")], error_handlers={"max_turns": lambda given: None})


@case([[refusal("I must not.")]])
def a_handler_answers_a_refusal(kit):
    async def handle(given):
        return kit.ErrorHandlerResult(final_output="another way", include_in_history=False)

    return kit.agent(error_handlers={"model_refusal": handle})


@case([[message("no JSON")]])
def a_handler_answers_for_invalid_output(kit):
    handlers = {"invalid_final_output": lambda given: {"final_output": {"title": "fallback"}}}
    return kit.agent(output_type=Report, error_handlers=handlers)


@case([[message("")]])
def a_handler_answers_for_missing_output(kit):
    handlers = {"invalid_final_output": lambda given: Report(title="fallback")}
    return kit.agent(output_type=Report, error_handlers=handlers)


@case([[tool_call("look")], []], options={"max_turns": 1})
def a_handler_may_answer_with_a_number(kit):
    return kit.agent(tools=[kit.tool("look")], error_handlers={"max_turns": lambda given: 42})


@case([[tool_call("look")], []], options={"max_turns": 1})
def a_handler_may_answer_with_nothing(kit):
    handlers = {"max_turns": lambda given: kit.ErrorHandlerResult(final_output=None)}
    return kit.agent(tools=[kit.tool("look")], error_handlers=handlers)


@case([[tool_call("look")], []], options={"max_turns": 1})
def a_handler_that_fails_ends_the_run(kit):
    def fail(given):
        raise KeyError("no")

    return kit.agent(tools=[kit.tool("look")], error_handlers={"max_turns": fail})


@case([[message("no JSON")]])
def a_handlers_answer_is_validated(kit):
    handlers = {"invalid_final_output": lambda given: {"final_output": {"pages": 1}}}
    return kit.agent(output_type=Report, error_handlers=handlers)


@case([[message("no JSON")]])
def a_handler_for_another_kind_is_not_asked(kit):
    return kit.agent(output_type=Report, error_handlers={"max_turns": answer})


@case([[tool_call("look")], []], options={"max_turns": 1}, records_hooks=True)
def hooks_run_for_a_handlers_answer(kit):
    return kit.agent(tools=[kit.tool("look")], error_handlers={"max_turns": answer})


# ---- usage ---------------------------------------------------------------------------------------


@case(
    [
        Reply(items=[tool_call("look", call_id="c1")], usage=usage(100, 20, cached=64, reasoning=8)),
        Reply(items=[message("done")], usage=usage(7, 3)),
    ]
)
def usage_is_the_sum_of_all_calls(kit):
    return kit.agent(tools=[kit.tool("look")])
