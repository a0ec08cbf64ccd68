"""Section C: what becomes of a call's arguments and of its id."""

from tests.conformance.case import case
from tests.support.model_server import message, tool_call

DONE = [message("done")]


# ---- arguments ---------------------------------------------------------------------------------


def _numbers(kit, **options):
    def add(a: int, b: int) -> int:
        kit.record("body", a, b)
        return a + b

    return kit.agent(tools=[kit.function_tool(add, **options)])


@case([[tool_call("add", "{broken")], DONE])
def arguments_that_are_no_json_are_told_to_the_model(kit):
    return _numbers(kit)


@case([[tool_call("add", "[1, 2]")], DONE])
def arguments_that_are_no_object_are_told_to_the_model(kit):
    return _numbers(kit)


@case([[tool_call("add", {"a": 1})], DONE])
def arguments_that_do_not_fit_are_told_to_the_model(kit):
    return _numbers(kit)


@case([[tool_call("add", {"a": "1", "b": "2"})], DONE])
def arguments_are_converted(kit):
    return _numbers(kit)


@case([[tool_call("add", {"a": 1, "b": 2, "c": 3})], DONE])
def further_arguments_are_ignored(kit):
    return _numbers(kit)


@case([[tool_call("add", "{broken")], DONE])
def arguments_that_are_no_json_may_end_the_run(kit):
    return _numbers(kit, failure_error_function=None)


@case([[tool_call("add", {"a": 1})], DONE])
def arguments_that_do_not_fit_may_end_the_run(kit):
    return _numbers(kit, failure_error_function=None)


@case([[tool_call("look", "")], DONE])
def no_arguments_are_an_empty_object(kit):
    return kit.agent(tools=[kit.tool("look")])


@case([[tool_call("look"), tool_call("unknown")], DONE])
def an_unknown_tool_is_an_error(kit):
    return kit.agent(tools=[kit.tool("look")])


@case([[tool_call("look"), tool_call("unknown")], DONE], options={"tool_not_found_behavior": "return_error_to_model"})
def the_model_may_be_told_of_an_unknown_tool(kit):
    return kit.agent(tools=[kit.tool("look")])


# ---- call ids -----------------------------------------------------------------------------------


@case([[tool_call("mark", call_id="c1"), tool_call("mark", call_id="c1")], DONE])
def two_equal_calls_of_one_id_run_once(kit):
    return kit.agent(tools=[kit.tool("mark")])


@case([[tool_call("mark", call_id="c1")], [tool_call("mark", call_id="c1")], DONE])
def a_call_that_is_repeated_later_does_not_run_again(kit):
    return kit.agent(tools=[kit.tool("mark")])


@case([[tool_call("mark", call_id="c1")], [tool_call("mark", call_id="c1"), tool_call("mark", call_id="c2")], DONE])
def a_repeated_call_beside_a_new_one_is_dropped(kit):
    return kit.agent(tools=[kit.tool("mark")])


@case([[tool_call("mark", call_id="c1")], [tool_call("mark", call_id="c1"), message("done")], DONE])
def a_repeated_call_beside_a_message(kit):
    return kit.agent(tools=[kit.tool("mark")])


@case([[tool_call("add", {"a": 1, "b": 1}, call_id="c1")], [tool_call("add", {"a": 2, "b": 2}, call_id="c1")]])
def another_call_of_the_same_id_is_an_error(kit):
    return _numbers(kit)


@case([[tool_call("add", {"a": 1, "b": 1}, call_id="c1"), tool_call("add", {"a": 2, "b": 2}, call_id="c1")]])
def two_different_calls_of_one_id_are_an_error(kit):
    return _numbers(kit)


@case(
    [[{"type": "function_call", "id": "fc", "call_id": "", "name": "look", "arguments": "{}", "status": "completed"}]]
)
def a_call_without_id_is_an_error(kit):
    return kit.agent(tools=[kit.tool("look")])
