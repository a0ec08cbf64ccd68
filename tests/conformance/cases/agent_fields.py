"""Section A: what an agent's fields mean."""

from tests.conformance.case import case
from tests.support.model_server import message, tool_call


@case([[tool_call("look")], [tool_call("look")], [message("done")]])
def instructions_are_evaluated_before_every_call(kit):
    calls = []

    def instructions(context, agent):
        calls.append(1)
        return f"{agent.name}, call {len(calls)}"

    return kit.agent(instructions=instructions, tools=[kit.tool("look")])


@case([[message("done")]], context={"customer": "Ada"})
def instructions_may_be_async_and_read_the_context(kit):
    async def instructions(context, agent):
        return f"Serve {context.context['customer']}."

    return kit.agent(instructions=instructions)


@case([[message("done")]])
def an_agent_needs_no_instructions(kit):
    return kit.agent()


@case(
    [[message("done")]],
    input=[
        {"role": "user", "content": "One"},
        {"role": "assistant", "content": "Two"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Three"}]},
        {"type": "function_call", "call_id": "old", "name": "gone", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "old", "output": "was there"},
        {"role": "user", "content": "Four"},
    ],
)
def input_items_are_passed_on(kit):
    return kit.agent(instructions="Be brief.")


@case([[message("done")]])
def a_prompt_template_is_passed_on(kit):
    return kit.agent(prompt={"id": "pmpt_1", "version": "2", "variables": {"who": "Ada"}})


@case([[message("done")]])
def a_prompt_template_may_be_made_at_each_call(kit):
    def make(context, agent):
        return {"id": "pmpt_1", "version": "2", "variables": {"agent": agent.name}}

    return kit.agent(prompt=kit.prompt(make))


@case([[message("done")]])
def model_settings_reach_the_request(kit):
    settings = kit.ModelSettings(
        temperature=0.5,
        top_p=0.9,
        max_tokens=100,
        truncation="auto",
        metadata={"a": "b"},
        store=False,
        top_logprobs=2,
        verbosity="low",
        response_include=["reasoning.encrypted_content"],
        extra_body={"service_tier": "flex"},
        extra_args={"safety_identifier": "u1"},
    )
    return kit.agent(model_settings=settings)


@case(
    [[message("done")]],
    options={"model_settings": {"temperature": 0.1, "max_tokens": 50, "extra_args": {"user": "u"}}},
)
def settings_of_the_run_beat_the_agents(kit):
    settings = kit.ModelSettings(temperature=0.5, top_p=0.9, extra_args={"safety_identifier": "u1"})
    return kit.agent(model_settings=settings)


@case({"": [], "run": [[message("done")]]}, options={"model": "the_model_of_the_run_beats_the_agents.run"})
def the_model_of_the_run_beats_the_agents(kit):
    return kit.agent()


@case([[message("done")]])
def parallel_tool_calls_are_sent_beside_tools(kit):
    return kit.agent(tools=[kit.tool("look")], model_settings=kit.ModelSettings(parallel_tool_calls=False))


@case([[tool_call("look")], [message("done")]])
def tools_are_shown_in_order_with_handoffs_last(kit):
    other = kit.agent("other", handoff_description="Knows more.")
    tools = [kit.tool("zoom"), kit.web_search(), kit.tool("look")]
    return kit.agent(handoffs=[other], tools=tools)


@case([[tool_call("switch")], [tool_call("hidden")], [message("done")]], context={"on": False})
def is_enabled_is_asked_every_turn(kit):
    def switch(ctx: kit.RunContext[dict]) -> str:
        ctx.context["on"] = True
        return "on"

    async def is_on(ctx, agent):
        return ctx.context["on"]

    hidden = kit.tool("hidden", is_enabled=is_on)
    return kit.agent(tools=[kit.function_tool(switch), hidden, kit.tool("off", is_enabled=False)])


@case([[tool_call("once")], [message("done")]], context={"used": False})
def a_tool_may_disable_itself(kit):
    def once(ctx: kit.RunContext[dict]) -> str:
        ctx.context["used"] = True
        return "used"

    return kit.agent(tools=[kit.function_tool(once, is_enabled=lambda ctx, agent: not ctx.context["used"])])


@case([[tool_call("close"), tool_call("transfer_to_{case}_b")], [message("done")]], context={"open": True})
def a_tool_may_disable_a_handoff_that_is_asked_for_already(kit):
    def close(ctx: kit.RunContext[dict]) -> str:
        ctx.context["open"] = False
        return "closed"

    to_b = kit.handoff(kit.agent("b"), is_enabled=lambda ctx, agent: ctx.context["open"])
    return kit.agent("a", tools=[kit.function_tool(close)], handoffs=[to_b])


@case(
    [[tool_call("close"), tool_call("ask", {"input": "x"})], [message("one")], [message("done")]],
    context={"open": True},
)
def a_tool_may_disable_a_called_agent_that_is_asked_for_already(kit):
    def close(ctx: kit.RunContext[dict]) -> str:
        ctx.context["open"] = False
        return "closed"

    child = kit.agent("child")
    is_open = {"is_enabled": lambda ctx, agent: ctx.context["open"]}
    ask = child.as_tool(tool_name="ask", tool_description="Asks.", **is_open)
    return kit.agent("a", tools=[kit.function_tool(close), ask])


@case([[tool_call("other"), tool_call("fleeting")]])
def a_tool_that_is_disabled_before_it_runs_is_an_error(kit):
    asked = []

    def once(ctx, agent):
        asked.append(1)
        return len(asked) == 1

    return kit.agent(tools=[kit.tool("other"), kit.tool("fleeting", is_enabled=once)])


@case([[tool_call("transfer_to_{case}_b")], [message("done")]])
def a_clone_is_an_agent_of_its_own(kit):
    original = kit.agent("a", instructions="I am A.", tools=[kit.tool("look")])
    clone = original.clone(name=f"{kit.case.name}.b", instructions="I am B.")
    return original.clone(handoffs=[clone])


@case([[tool_call("transfer_to_{case}_billing_agent___eu_")], [message("done")]])
def names_may_hold_what_no_function_name_may(kit):
    return kit.agent("Triage (alle Länder)", handoffs=[kit.agent("Billing Agent [€EU]")])


@case([[tool_call("{case}_billing_agent", {"input": "x"})], [message("one")], [message("done")]])
def the_name_of_a_called_agents_tool_is_made_of_its_name(kit):
    child = kit.agent("Billing Agent")
    return kit.agent("Triage", tools=[child.as_tool(tool_name=None, tool_description="Bills.")])


@case([[message("never asked")]])
def an_exception_of_the_instructions_ends_the_run(kit):
    def instructions(context, agent):
        raise KeyError("no")

    return kit.agent(instructions=instructions)


@case([[message("never asked")]])
def an_exception_of_is_enabled_ends_the_run(kit):
    def is_enabled(ctx, agent):
        raise KeyError("no")

    return kit.agent(tools=[kit.tool("look", is_enabled=is_enabled)])


@case([[tool_call("hidden")], [message("done")]])
def a_hidden_tool_is_unknown(kit):
    return kit.agent(tools=[kit.tool("hidden", is_enabled=False)])


@case(
    [[tool_call("hidden"), tool_call("transfer_to_{case}_b")], [message("done")]],
    options={"tool_not_found_behavior": "return_error_to_model"},
)
def the_model_may_be_told_that_a_hidden_tool_is_unknown(kit):
    hidden = kit.handoff(kit.agent("b"), is_enabled=False)
    return kit.agent(tools=[kit.tool("hidden", is_enabled=False)], handoffs=[hidden])


@case([[message("done")]])
def hosted_tools_have_options(kit):
    near = {"type": "approximate", "city": "Rome"}
    search = kit.web_search(user_location=near, search_context_size="low")
    files = kit.file_search(vector_store_ids=["vs_1"], max_num_results=3)
    return kit.agent(tools=[search, files], model_settings=kit.ModelSettings(tool_choice="file_search"))
