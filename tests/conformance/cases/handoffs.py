"""Section D: handoffs."""

from pydantic import BaseModel

from tests.conformance.case import case
from tests.support.model_server import message, tool_call


class Reason(BaseModel):
    """Why the customer is passed on."""

    text: str
    urgency: int


TO_B, TO_C, DONE = tool_call("transfer_to_{case}_b"), tool_call("transfer_to_{case}_c"), [message("done")]


@case([[TO_B], DONE])
def the_next_agent_sees_everything_with_its_own_instructions(kit):
    b = kit.agent("b", instructions="I am B.", handoff_description="Knows B.", tools=[kit.tool("look")])
    return kit.agent("a", instructions="I am A.", handoffs=[b])


@case({"": [[TO_B]], "b": [[message('{"text": "x", "urgency": 1}')]]})
def the_next_agent_has_its_own_model_and_output_type(kit):
    return kit.agent("a", handoffs=[kit.agent("b", model="b", output_type=Reason)])


@case([[TO_B, TO_C], DONE])
def the_first_of_several_handoffs_wins(kit):
    return kit.agent("a", handoffs=[kit.agent("b"), kit.agent("c")])


@case([[TO_B, TO_B], DONE])
def one_handoff_may_be_asked_for_twice(kit):
    return kit.agent("a", handoffs=[kit.agent("b"), kit.agent("c")])


@case([[TO_B, tool_call("look"), message("passing you on"), TO_C], DONE])
def tools_run_before_a_handoff(kit):
    return kit.agent("a", tools=[kit.tool("look")], handoffs=[kit.agent("b"), kit.agent("c")])


@case([[tool_call("look"), TO_B], DONE])
def a_handoff_beats_stop_on_first_tool(kit):
    return kit.agent("a", tools=[kit.tool("look")], handoffs=[kit.agent("b")], tool_use_behavior="stop_on_first_tool")


@case([[tool_call("look")], [message("On my way."), TO_B], [tool_call("look")], [TO_C], DONE])
def history_grows_over_handoffs(kit):
    look = kit.tool("look")
    b = kit.agent("b", tools=[look], handoffs=[kit.agent("c")])
    return kit.agent("a", tools=[look], handoffs=[b])


@case([[tool_call("escalate", {"text": "angry", "urgency": 3})], DONE])
def a_handoff_may_be_renamed_and_take_input(kit):
    async def on_handoff(context, reason):
        kit.record(type(reason).__name__, reason.text, reason.urgency)

    return kit.agent(
        "a",
        handoffs=[
            kit.handoff(
                kit.agent("b"),
                tool_name_override="escalate",
                tool_description_override="Pass it up.",
                on_handoff=on_handoff,
                input_type=Reason,
            )
        ],
    )


def _with_reason(kit, on_handoff=lambda context, reason: None):
    return kit.agent("a", handoffs=[kit.handoff(kit.agent("b"), on_handoff=on_handoff, input_type=Reason)])


@case([[tool_call("transfer_to_{case}_b", '{"text":')], DONE])
def handoff_input_that_is_no_json_is_an_error(kit):
    return _with_reason(kit)


@case([[tool_call("transfer_to_{case}_b", {"text": "x", "urgency": "3"})], DONE])
def handoff_input_is_not_converted(kit):
    return _with_reason(kit)


@case([[tool_call("transfer_to_{case}_b", "")], DONE])
def missing_handoff_input_is_an_error(kit):
    return _with_reason(kit)


@case([[tool_call("transfer_to_{case}_b", "null")], DONE])
def null_as_handoff_input_is_an_error(kit):
    return _with_reason(kit)


@case([[tool_call("transfer_to_{case}_b", {"text": "x", "urgency": 3})], DONE])
def an_exception_of_on_handoff_ends_the_run(kit):
    def on_handoff(context, reason):
        raise KeyError("no")

    return _with_reason(kit, on_handoff)


@case([[tool_call("transfer_to_{case}_b", {"unexpected": 1})], DONE], context={"seen": []})
def on_handoff_may_change_the_context(kit):
    def on_handoff(context):
        context.context["seen"] = ["a"]

    b = kit.agent("b", instructions=lambda context, agent: str(context.context))
    return kit.agent("a", handoffs=[kit.handoff(b, on_handoff=on_handoff)])


@case([[tool_call("transfer_to_{case}_b", {"unexpected": 1})], DONE])
def arguments_of_a_handoff_without_input_are_ignored(kit):
    return kit.agent("a", handoffs=[kit.agent("b")])


# ---- filters -------------------------------------------------------------------------------------

LONG = [
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "two"},
    {"role": "user", "content": "three"},
]


def _filtered(kit, input_filter):
    b = kit.agent("b", handoffs=[kit.agent("c")], tools=[kit.tool("look")])
    return kit.agent("a", tools=[kit.tool("look")], handoffs=[kit.handoff(b, input_filter=input_filter)])


FILTERED = [[tool_call("look")], [message("bye"), TO_B], [tool_call("look")], [TO_C], DONE]


@case(FILTERED, input=LONG)
def a_filter_may_leave_everything(kit):
    return _filtered(kit, lambda data: data)


@case(FILTERED, input=LONG)
def a_filter_may_cut_the_history(kit):
    return _filtered(kit, lambda data: data.clone(input_history=data.input_history[-1:]))


@case(FILTERED, input=LONG)
def a_filter_may_drop_what_was_generated(kit):
    async def only_the_last(data):
        return data.clone(pre_handoff_items=(), new_items=data.new_items[-2:])

    return _filtered(kit, only_the_last)


@case(FILTERED, input=LONG)
def a_filter_may_drop_everything_new(kit):
    return _filtered(kit, lambda data: data.clone(pre_handoff_items=(), new_items=()))


@case(FILTERED, input=LONG)
def a_filter_may_set_what_is_shown(kit):
    return _filtered(kit, lambda data: data.clone(input_items=data.new_items[:1]))


@case(FILTERED, input=LONG)
def a_filter_may_leave_a_call_without_its_output(kit):
    return _filtered(kit, lambda data: data.clone(new_items=data.new_items[:-1]))


@case(FILTERED, input=LONG)
def a_filter_may_leave_an_output_without_its_call(kit):
    return _filtered(kit, lambda data: data.clone(new_items=data.new_items[-1:]))


@case(FILTERED, input=LONG)
def a_filter_may_leave_an_earlier_call_without_its_output(kit):
    return _filtered(kit, lambda data: data.clone(pre_handoff_items=data.pre_handoff_items[:-1]))


@case(FILTERED, input=LONG)
def a_filter_may_change_the_order(kit):
    return _filtered(kit, lambda data: data.clone(input_history=data.input_history[::-1]))


@case(FILTERED, input=LONG)
def all_tools_may_be_removed(kit):
    return _filtered(kit, kit.remove_all_tools)


@case(FILTERED, input="Text.")
def all_tools_may_be_removed_after_text(kit):
    return _filtered(kit, kit.remove_all_tools)


@case(FILTERED, input=LONG)
def a_filter_must_return_its_data(kit):
    return _filtered(kit, lambda data: None)


@case(FILTERED, input=LONG)
def an_exception_of_a_filter_ends_the_run(kit):
    def fail(data):
        raise KeyError("no")

    return _filtered(kit, fail)


@case(FILTERED, input=LONG)
def a_filter_sees_three_parts(kit):
    def count(data):
        kit.record(len(data.input_history), len(data.pre_handoff_items), len(data.new_items))
        return data

    return _filtered(kit, count)


REASONING = {"type": "reasoning", "id": "rs_1", "summary": []}
SEARCH = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}}


@case([[REASONING, SEARCH, REASONING | {"id": "rs_2"}, TO_B], DONE, DONE, DONE], input=[*LONG, REASONING, SEARCH])
def hosted_tools_and_reasoning_are_removed_too(kit):
    return _filtered(kit, kit.remove_all_tools)


@case([[tool_call("look", call_id="c1")], [TO_B], [tool_call("look", call_id="c1")], DONE], input=LONG)
def a_call_that_was_filtered_out_does_not_run_again(kit):
    return _filtered(kit, kit.remove_all_tools)


@case([[REASONING, TO_B], DONE], input=LONG)
def reasoning_goes_with_its_call(kit):
    return _filtered(kit, lambda data: data.clone(new_items=data.new_items[:-1]))


# ---- enabled, cycles -----------------------------------------------------------------------------


@case([[tool_call("switch")], [TO_C], DONE], context={"on": False})
def a_handoff_may_be_disabled(kit):
    def switch(ctx: kit.RunContext[dict]) -> str:
        ctx.context["on"] = True
        return "on"

    hidden = kit.handoff(kit.agent("b"), is_enabled=False)
    later = kit.handoff(kit.agent("c"), is_enabled=lambda ctx, agent: ctx.context["on"])
    return kit.agent("a", tools=[kit.function_tool(switch)], handoffs=[hidden, later])


@case([[TO_B], DONE])
def a_disabled_handoff_is_unknown(kit):
    return kit.agent("a", handoffs=[kit.handoff(kit.agent("b"), is_enabled=False)])


@case([[tool_call("transfer_to_{case}_" + "ba"[n % 2])] for n in range(10)], options={"max_turns": 5})
def agents_may_hand_over_in_circles_until_turns_run_out(kit):
    a = kit.agent("a")
    a.handoffs.append(kit.agent("b", handoffs=[a]))
    return a


@case([[tool_call("transfer_to_{case}_a")], DONE])
def an_agent_may_hand_over_to_itself(kit):
    a = kit.agent("a")
    a.handoffs.append(a)
    return a


@case([[tool_call("transfer_to_{case}_b", call_id="c1")], [tool_call("transfer_to_{case}_b", call_id="c1")], DONE])
def a_repeated_handoff_call(kit):
    a = kit.agent("a")
    b = kit.agent("b", handoffs=[a])
    b.handoffs.append(b)
    a.handoffs.append(b)
    return a
