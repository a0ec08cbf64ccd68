"""Section E: agents as tools."""

from dataclasses import dataclass

from pydantic import BaseModel, Field

from tests.conformance.case import case
from tests.support.model_server import Reply, message, tool_call, usage


class Question(BaseModel):
    text: str
    depth: int = 1


class Described(BaseModel):
    """A question."""

    text: str = Field(description="What to find out")


class Verdict(BaseModel):
    ok: bool


@dataclass
class Pair:
    left: str
    right: str


ASK, DONE = [tool_call("ask", {"input": "Why?"})], [message("done")]


def _asking(kit, child, **options):
    ask = child.as_tool(tool_name=options.pop("tool_name", "ask"), tool_description="Asks.", **options)
    return kit.agent(instructions="I ask.", tools=[ask])


@case({"": [ASK, DONE], "child": [[message("Because.")]]}, context={"customer": "Ada"})
def a_called_agent_sees_its_input_only(kit):
    return _asking(kit, kit.agent("child", model="child", instructions=lambda ctx, agent: f"I know {ctx.context}."))


@case({"": [[tool_call("{case}_child", {"input": "Why?"})], DONE], "child": [[message("Because.")]]})
def a_called_agents_tool_has_its_name(kit):
    child = kit.agent("child", model="child")
    return kit.agent(tools=[child.as_tool(tool_name=None, tool_description=None)])


@case({"": [ASK, DONE], "child": [[tool_call("look")], [message("Because.")]]})
def a_called_agent_runs_tools(kit):
    return _asking(kit, kit.agent("child", model="child", tools=[kit.tool("look")]))


@case({"": [ASK, DONE], "child": [[message('{"ok": true}')]]})
def a_structured_answer_is_shown_as_python_writes_it(kit):
    return _asking(kit, kit.agent("child", model="child", output_type=Verdict))


@case({"": [ASK, DONE], "child": [[tool_call("look")], []]})
def an_empty_answer_falls_back_to_the_last_output(kit):
    return _asking(kit, kit.agent("child", model="child", tools=[kit.tool("look", "seen")]))


@case({"": [ASK, DONE], "child": [[message("Let me see."), tool_call("look")], [message("")]]})
def an_empty_answer_falls_back_to_what_came_last(kit):
    return _asking(kit, kit.agent("child", model="child", tools=[kit.tool("look", "")]))


@case({"": [ASK, DONE], "child": [[]]})
def an_empty_answer_may_have_no_fallback(kit):
    return _asking(kit, kit.agent("child", model="child"))


@case({"": [[tool_call("ask", {"text": "Why?", "depth": 2})], DONE], "child": [[message("Because.")]]})
def structured_input_without_descriptions_is_json(kit):
    return _asking(kit, kit.agent("child", model="child"), parameters=Question)


@case({"": [[tool_call("ask", {"left": "a", "right": "b"})], DONE], "child": [[message("Because.")]]})
def structured_input_may_be_a_dataclass(kit):
    return _asking(kit, kit.agent("child", model="child"), parameters=Pair)


@case({"": [[tool_call("ask", {"text": "Why?"})], DONE], "child": [[message("Because.")]]})
def structured_input_with_descriptions_shows_its_schema_to_the_caller(kit):
    def build(given):
        return f"{given['params']['text']} please"

    return _asking(kit, kit.agent("child", model="child"), parameters=Described, input_builder=build)


@case({"": [[tool_call("ask", {"text": "Why?", "depth": 2})], DONE], "child": [[message("Because.")]]})
def an_input_builder_may_return_items(kit):
    async def build(given):
        return [{"role": "user", "content": "One"}, {"role": "user", "content": given["params"]["text"]}]

    return _asking(kit, kit.agent("child", model="child"), parameters=Question, input_builder=build)


@case({"": [[tool_call("ask", {"text": 3})], DONE], "child": []})
def structured_input_that_does_not_fit_is_told_to_the_model(kit):
    return _asking(kit, kit.agent("child", model="child"), parameters=Question)


@case({"": [[tool_call("ask", "{broken")], DONE], "child": []})
def input_that_is_no_json_is_told_to_the_model(kit):
    return _asking(kit, kit.agent("child", model="child"))


@case({"": [[tool_call("ask", {"wrong": 1})], DONE], "child": []})
def input_of_another_shape_is_told_to_the_model(kit):
    return _asking(kit, kit.agent("child", model="child"))


@case({"": [[tool_call("ask", "{broken")], DONE], "child": []})
def input_that_is_no_json_may_end_the_run(kit):
    return _asking(kit, kit.agent("child", model="child"), failure_error_function=None)


@case({"": [ASK, DONE], "child": [[tool_call("look")], [message("Because.")]]})
def an_extractor_may_choose_the_output(kit):
    async def extract(result):
        invocation = result.agent_tool_invocation
        return f"{result.final_output} {len(result.new_items)} {invocation.tool_name} {invocation.tool_arguments}"

    child = kit.agent("child", model="child", tools=[kit.tool("look")])
    return _asking(kit, child, custom_output_extractor=extract)


@case({"": [ASK, DONE], "child": [[message("Because.")]]})
def an_extractor_that_fails_is_a_failure_of_the_tool(kit):
    async def extract(result):
        raise KeyError("no")

    return _asking(kit, kit.agent("child", model="child"), custom_output_extractor=extract)


@case({"": [DONE], "child": []})
def a_called_agent_may_be_disabled(kit):
    return _asking(kit, kit.agent("child", model="child"), is_enabled=lambda ctx, agent: False)


@case({"": [ASK, DONE], "child": [[tool_call("transfer_to_{case}_other")], [message("Because.")]]})
def a_called_agent_may_hand_over(kit):
    return _asking(kit, kit.agent("child", model="child", handoffs=[kit.agent("other", model="child")]))


@case(
    {
        "": [ASK, DONE],
        "child": [[tool_call("deeper", {"input": "?"})], [message("Because.")]],
        "leaf": [[message("So.")]],
    }
)
def a_called_agent_may_call_agents(kit):
    leaf = kit.agent("leaf", model="leaf")
    deeper = leaf.as_tool(tool_name="deeper", tool_description="Asks on.")
    return _asking(kit, kit.agent("child", model="child", tools=[deeper]))


def _echo(body):
    return [message(f"re: {body['input'][0]['content']}", id="msg")]


@case(
    {
        "": [[tool_call("ask", {"input": "one"}), tool_call("look"), tool_call("ask", {"input": "two"})], DONE],
        "child": _echo,
    },
    is_parallel=True,
)
def agents_are_called_side_by_side_with_tools(kit):
    ask = kit.agent("child", model="child").as_tool(tool_name="ask", tool_description="Asks.")
    return kit.agent(tools=[ask, kit.tool("look")])


@case({"": [ASK], "child": [[message("Because.")]]})
def a_called_agents_answer_may_be_the_answer(kit):
    ask = kit.agent("child", model="child").as_tool(tool_name="ask", tool_description="Asks.")
    return kit.agent(tools=[ask], tool_use_behavior="stop_on_first_tool")


@case({"": [ASK, DONE], "child": [[message("Because.")]]})
def tool_choice_is_reset_after_a_called_agent(kit):
    ask = kit.agent("child", model="child").as_tool(tool_name="ask", tool_description="Asks.")
    return kit.agent(tools=[ask], model_settings=kit.ModelSettings(tool_choice="required"))


@case({"": [[*ASK, tool_call("transfer_to_{case}_b")], DONE], "child": [[message("Because.")]]})
def a_called_agent_answers_before_a_handoff(kit):
    ask = kit.agent("child", model="child").as_tool(tool_name="ask", tool_description="Asks.")
    return kit.agent("a", tools=[ask], handoffs=[kit.agent("b")])


@case({"": [ASK, DONE], "child": [[tool_call("mark")], [message("Because.")]]}, context={"marks": 1, "kept": "k"})
def what_a_called_agent_changes_in_the_context_comes_back(kit):
    def mark(ctx: kit.RunContext[dict]) -> str:
        ctx.context["marks"] += 1
        return "marked"

    return _asking(kit, kit.agent("child", model="child", tools=[kit.function_tool(mark)]))


@case(
    {
        "": [Reply(items=ASK, usage=usage(10, 1)), Reply(items=DONE, usage=usage(20, 2))],
        "child": [
            Reply(items=[tool_call("look", call_id="c")], usage=usage(100, 10, cached=5)),
            Reply(items=[message("Because.")], usage=usage(200, 20, reasoning=7)),
        ],
    }
)
def usage_of_called_agents_counts(kit):
    return _asking(kit, kit.agent("child", model="child", tools=[kit.tool("look")]))


@case({"": [ASK, DONE], "child": [[message("Because.")]]}, options={"model_settings": {"temperature": 0.1}})
def settings_of_the_run_reach_called_agents(kit):
    return _asking(kit, kit.agent("child", model="child"))


@case(
    {"": [ASK, DONE], "child": [[tool_call("unknown")], [message("Because.")]]},
    options={"tool_not_found_behavior": "return_error_to_model"},
)
def options_of_the_run_reach_called_agents(kit):
    return _asking(kit, kit.agent("child", model="child"))


@case({"": [[tool_call("one", {"input": "1"})], [tool_call("two", {"input": "2"})], DONE], "child": _echo})
def one_agent_may_be_two_tools(kit):
    child = kit.agent("child", model="child")
    one = child.as_tool(tool_name="one", tool_description="First.")
    return kit.agent(tools=[one, child.as_tool(tool_name="two", tool_description="Second.")])


@case({"": [ASK, [tool_call("transfer_to_{case}_child")]], "child": [[message("Because.")], [message("Bye.")]]})
def one_agent_may_be_a_tool_and_a_handoff(kit):
    child = kit.agent("child", model="child")
    return kit.agent(tools=[child.as_tool(tool_name="ask", tool_description="Asks.")], handoffs=[child])


@case({"": [ASK, DONE], "child": [[tool_call("look")]]})
def a_called_agent_may_stop_on_its_first_tool(kit):
    child = kit.agent(
        "child", model="child", tools=[kit.tool("look", {"a": 1})], tool_use_behavior="stop_on_first_tool"
    )
    return _asking(kit, child)
