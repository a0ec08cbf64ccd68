"""Section E: called agents that fail."""

from tests.conformance.case import case
from tests.support.model_server import error, message, refusal, tool_call

ASK, DONE = [tool_call("ask", {"input": "Why?"})], [message("done")]


def _asking(kit, child, **options):
    ask = child.as_tool(tool_name=options.pop("tool_name", "ask"), tool_description="Asks.", **options)
    return kit.agent(instructions="I ask.", tools=[ask])


@case({"": [ASK, DONE], "child": [[tool_call("look")] for _ in range(3)]})
def a_called_agent_that_runs_out_of_turns_has_failed(kit):
    return _asking(kit, kit.agent("child", model="child", tools=[kit.tool("look")]), max_turns=2)


@case({"": [ASK, DONE], "child": [[tool_call("look")] for _ in range(11)]}, options={"max_turns": 2})
def a_called_agent_has_turns_of_its_own(kit):
    return _asking(kit, kit.agent("child", model="child", tools=[kit.tool("look")]))


@case({"": [ASK, DONE], "child": [error(500, "ouch")]})
def a_failure_of_a_called_agents_model_is_told(kit):
    return _asking(kit, kit.agent("child", model="child"))


@case({"": [ASK, DONE], "child": [[refusal("I must not.")]]})
def a_refusal_of_a_called_agent_is_told(kit):
    return _asking(kit, kit.agent("child", model="child"))


@case({"": [ASK, DONE], "child": [[tool_call("unknown")]]})
def what_is_told_of_a_called_agents_failure_may_be_chosen(kit):
    def explain(context, error):
        return f"failed: {type(error).__name__}"

    return _asking(kit, kit.agent("child", model="child"), failure_error_function=explain)


@case({"": [ASK, DONE], "child": [[tool_call("unknown")]]})
def a_called_agents_failure_may_end_the_run(kit):
    return _asking(kit, kit.agent("child", model="child"), failure_error_function=None)


@case(
    {"": [ASK, DONE], "child": [error(401, "who")]},
    # There, errors that are not the SDK's own are wrapped.
    differs={"error": ("AuthenticationError", "UserError")},
)
def a_called_agents_model_failure_may_end_the_run(kit):
    return _asking(kit, kit.agent("child", model="child"), failure_error_function=None)


@case(
    {
        "": [ASK, DONE],
        "child": [[tool_call("deeper", {"input": "?"})], [message("Because.")]],
        "leaf": [error(500, "ouch")],
    }
)
def a_failure_far_below_is_told_to_the_nearest_caller(kit):
    deeper = kit.agent("leaf", model="leaf").as_tool(tool_name="deeper", tool_description="Asks on.")
    return _asking(kit, kit.agent("child", model="child", tools=[deeper]))


@case(
    {"": [ASK, DONE], "child": [[tool_call("transfer_to_{case}_other")], [message("Because.")]]},
    context={"seen": [], "kept": 1},
)
def what_changes_after_a_handoff_below_comes_back(kit):
    other = kit.agent("other", model="child", instructions=lambda ctx, agent: str(ctx.context))

    def on_handoff(context):
        context.context["seen"] = ["child"]

    child = kit.agent("child", model="child", handoffs=[kit.handoff(other, on_handoff=on_handoff)])
    return _asking(kit, child)


@case(
    {"": [ASK, DONE], "child": [[tool_call("mark")], error(500, "ouch")]},
    context={"marks": 1},
)
def what_a_failed_agent_has_changed_in_the_context_stays(kit):
    def mark(ctx: kit.RunContext[dict]) -> str:
        ctx.context["marks"] += 1
        return "marked"

    return _asking(kit, kit.agent("child", model="child", tools=[kit.function_tool(mark)]))


@case({"": [[tool_call("ask", "{broken"), *ASK], DONE], "child": [[message("Because.")]]})
def one_call_may_fail_beside_one_that_is_answered(kit):
    return _asking(kit, kit.agent("child", model="child"))


@case({"": [[tool_call("ask", "{broken")], DONE], "child": []}, records_hooks=True)
def hooks_see_a_call_whose_arguments_are_wrong(kit):
    return _asking(kit, kit.agent("child", model="child"))


@case({"": [ASK], "child": [[message("Because.")]]}, options={"max_turns": 1})
def turns_run_out_while_a_called_agent_answers(kit):
    return _asking(kit, kit.agent("child", model="child"))
