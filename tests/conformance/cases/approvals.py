"""Section G: people approve and reject calls."""

from tests.conformance.case import case
from tests.support.model_server import message, tool_call

PAY = [tool_call("pay", call_id="c1")]
PAY_TWICE = [tool_call("pay", call_id="c1"), tool_call("pay", call_id="c2")]
PAY_INNER = [tool_call("pay", call_id="inner")]
DONE = [message("done")]


@case([PAY, DONE], decisions=[{"c1": True}])
def an_approved_call_runs(kit):
    return kit.agent(tools=[kit.tool("pay", needs_approval=True)])


@case([PAY, DONE], decisions=[{"c1": False}])
def a_rejected_call_does_not_run(kit):
    return kit.agent(tools=[kit.tool("pay", needs_approval=True)])


@case([PAY, DONE], decisions=[{"c1": "Not today."}])
def a_rejection_has_words_of_its_own(kit):
    return kit.agent(tools=[kit.tool("pay", needs_approval=True)])


@case([[tool_call("look", call_id="c2"), *PAY], DONE], decisions=[{"c1": True}])
def a_sibling_that_needs_no_approval_runs_first_and_once(kit):
    return kit.agent(tools=[kit.tool("pay", needs_approval=True), kit.tool("look")])


@case([PAY_TWICE, DONE], decisions=[{"c1": True}, {"c2": False}])
def decided_calls_run_and_the_model_waits_for_the_others(kit):
    return kit.agent(tools=[kit.tool("pay", needs_approval=True)])


@case([PAY_TWICE, DONE], decisions=[{"c2": True}])
def a_function_says_which_calls_need_approval(kit):
    async def is_second(context, params, call_id):
        kit.record("asked", params, call_id)
        return call_id == "c2"

    return kit.agent(tools=[kit.tool("pay", needs_approval=is_second)])


@case([[*PAY, tool_call("transfer_to_{case}_b", call_id="h")], DONE], decisions=[{"c1": True}])
def an_approval_comes_before_the_handoff(kit):
    return kit.agent("a", tools=[kit.tool("pay", needs_approval=True)], handoffs=[kit.agent("b")])


@case([PAY, DONE], decisions=[{"c1": True}], options={"max_turns": 2})
def waiting_for_a_person_takes_no_turn(kit):
    return kit.agent(tools=[kit.tool("pay", needs_approval=True)])


@case([PAY], decisions=[{"c1": False}])
def a_rejection_may_be_the_answer(kit):
    return kit.agent(tools=[kit.tool("pay", needs_approval=True)], tool_use_behavior="stop_on_first_tool")


@case(
    {"a": [[tool_call("ask", {"input": "x"}, call_id="outer")], DONE], "b": [PAY_INNER, DONE]},
    decisions=[{"outer": True}, {"inner": True}],
)
def an_approval_of_an_agent_and_one_below_it(kit):
    b = kit.agent("b", model="b", tools=[kit.tool("pay", needs_approval=True)])
    return kit.agent("a", model="a", tools=[b.as_tool("ask", "Asks.", needs_approval=True)])


@case({"a": [[tool_call("ask", {"input": "x"}, call_id="outer")], DONE], "b": []}, decisions=[{"outer": False}])
def a_rejected_agent_is_not_called(kit):
    return kit.agent("a", model="a", tools=[kit.agent("b", model="b").as_tool("ask", "Asks.", needs_approval=True)])
