"""Section B: what a reply leads to."""

from pydantic import BaseModel

from tests.conformance.case import case
from tests.support.model_server import Reply, message, refusal, tool_call, usage


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


# ---- replies that are odd -----------------------------------------------------------------------


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


# ---- what a caller gives ------------------------------------------------------------------------

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


# ---- usage --------------------------------------------------------------------------------------


@case(
    [
        Reply(items=[tool_call("look", call_id="c1")], usage=usage(100, 20, cached=64, reasoning=8)),
        Reply(items=[message("done")], usage=usage(7, 3)),
    ]
)
def usage_is_the_sum_of_all_calls(kit):
    return kit.agent(tools=[kit.tool("look")])
