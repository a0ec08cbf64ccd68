"""Section F: guardrails."""

from pydantic import BaseModel

from tests.conformance.case import case
from tests.support.model_server import message, tool_call


class Report(BaseModel):
    title: str


LOOK, DONE = [tool_call("look")], [message("done")]


@case([DONE])
def a_blocking_input_guardrail_that_passes(kit):
    return kit.agent(input_guardrails=[kit.guardrail("g", trips=False, run_in_parallel=False)])


@case([])
def a_blocking_input_guardrail_that_trips_costs_no_call(kit):
    return kit.agent(input_guardrails=[kit.guardrail("g", trips=True, run_in_parallel=False)])


@case([DONE])
def a_parallel_input_guardrail_that_passes(kit):
    return kit.agent(input_guardrails=[kit.guardrail("g", trips=False)])


@case([DONE], input=[{"role": "user", "content": "One."}, {"role": "user", "content": "Two."}])
def an_input_guardrail_gets_items_where_items_were_given(kit):
    return kit.agent(input_guardrails=[kit.guardrail("g", trips=False, run_in_parallel=False)])


@case([[tool_call("transfer_to_{case}_b")], DONE])
def the_next_agents_input_guardrails_are_not_asked(kit):
    b = kit.agent("b", input_guardrails=[kit.guardrail("of_b", trips=True)])
    return kit.agent("a", handoffs=[b], input_guardrails=[kit.guardrail("of_a", trips=False)])


@case([DONE], records_hooks=True)
def an_output_guardrail_that_trips_comes_after_the_hook(kit):
    return kit.agent(output_guardrails=[kit.output_check("g", trips=True)], hooks=kit.agent_hooks())


@case([[message('{"title": "T"}')]])
def an_output_guardrail_gets_the_parsed_output(kit):
    return kit.agent(output_type=Report, output_guardrails=[kit.output_check("g", trips=False)])


@case([[tool_call("transfer_to_{case}_b")], DONE])
def the_last_agents_output_guardrails_are_asked(kit):
    b = kit.agent("b", output_guardrails=[kit.output_check("of_b", trips=True)])
    return kit.agent("a", handoffs=[b], output_guardrails=[kit.output_check("of_a", trips=True)])


@case([LOOK])
def an_output_guardrail_judges_a_tools_output_that_is_the_answer(kit):
    return kit.agent(
        tools=[kit.tool("look")],
        tool_use_behavior="stop_on_first_tool",
        output_guardrails=[kit.output_check("g", trips=True)],
    )


@case({"a": [[tool_call("ask", {"input": "x"})], DONE], "b": []})
def a_called_agents_tripwire_is_told_to_the_model(kit):
    b = kit.agent("b", model="b", input_guardrails=[kit.guardrail("g", trips=True, run_in_parallel=False)])
    return kit.agent("a", model="a", tools=[b.as_tool("ask", "Asks.")])


@case([LOOK, DONE], records_hooks=True)
def a_call_that_a_guardrail_rejects_does_not_run(kit):
    check = kit.tool_input_guardrail(lambda data: kit.ToolGuardrailFunctionOutput.reject_content("No."))
    return kit.agent(tools=[kit.tool("look", tool_input_guardrails=[check])])


@case([LOOK, DONE])
def an_output_that_a_guardrail_rejects_is_replaced(kit):
    check = kit.tool_output_guardrail(lambda data: kit.ToolGuardrailFunctionOutput.reject_content("Hidden."))
    return kit.agent(tools=[kit.tool("look", tool_output_guardrails=[check])])


@case([LOOK, DONE])
def a_call_that_a_guardrail_allows_runs(kit):
    check = kit.tool_input_guardrail(lambda data: kit.ToolGuardrailFunctionOutput.allow())
    return kit.agent(tools=[kit.tool("look", tool_input_guardrails=[check])])


@case([LOOK])
def a_tools_input_guardrail_ends_the_run(kit):
    check = kit.tool_input_guardrail(lambda data: kit.ToolGuardrailFunctionOutput.raise_exception())
    return kit.agent(tools=[kit.tool("look", tool_input_guardrails=[check])])


@case([LOOK])
def a_tools_output_guardrail_ends_the_run(kit):
    check = kit.tool_output_guardrail(lambda data: kit.ToolGuardrailFunctionOutput.raise_exception())
    return kit.agent(tools=[kit.tool("look", tool_output_guardrails=[check])])
