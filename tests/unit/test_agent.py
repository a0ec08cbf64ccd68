"""`Agent`: what it accepts, and how its fields act in a run."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from orchestrator.agent import Agent, FunctionToolResult, StopAtTools, ToolsToFinalOutputResult
from orchestrator.context import RunContext
from orchestrator.errors import MaxTurnsExceeded, NotInstalled, RunFailed, UserError
from orchestrator.inline import run_inline
from orchestrator.model_settings import ModelSettings
from orchestrator.testing import ScriptedModel, function_call
from orchestrator.tool import FunctionTool, function_tool


class Report(BaseModel):
    title: str


def returning(value: Any, name: str = "look") -> FunctionTool:
    return function_tool(lambda: value, name_override=name)


def answer_of(agent: Agent[Any], *replies: Any, **options: Any) -> Any:
    agent.model = ScriptedModel(replies)
    return run_inline(agent, "Hi", **options).final_output


@pytest.mark.parametrize("name", ["", "  ", "two\nlines", None])
def test_a_name_is_needed(name: Any) -> None:
    with pytest.raises(UserError, match="name must be a non-empty, printable string"):
        Agent(name)


def test_instructions_take_context_and_agent() -> None:
    with pytest.raises(UserError, match=r"must take two arguments: \(context, agent\)"):
        Agent("a", instructions=lambda context: "x")  # type: ignore[arg-type, misc]


def test_a_plain_function_is_no_tool() -> None:
    with pytest.raises(UserError, match="Decorate it with @function_tool"):
        Agent("a", tools=[lambda: 1])  # type: ignore[list-item]


def test_a_handoff_to_something_else_is_refused() -> None:
    with pytest.raises(UserError, match="handoff that is no agent"):
        Agent("a", handoffs=[1])  # type: ignore[list-item]


def test_an_unknown_behavior_is_refused() -> None:
    with pytest.raises(UserError, match="unknown tool_use_behavior: 'stop'"):
        Agent("a", tool_use_behavior="stop")  # type: ignore[arg-type]


def test_a_clone_shares_the_lists_that_are_not_passed() -> None:
    agent = Agent("a", tools=[returning(1)])

    clone = agent.clone(name="b")

    assert (clone.name, agent.name) == ("b", "a")
    assert clone.tools is agent.tools


def test_an_agent_without_an_app_says_how_to_get_one() -> None:
    with pytest.raises(NotInstalled, match="install"):
        Agent("a").submit("Hi")


async def test_instructions_may_be_async() -> None:
    async def instructions(context: RunContext[Any], agent: Agent[Any]) -> str:
        return f"{agent.name} for {context.context}"

    assert await Agent("a", instructions=instructions).get_system_prompt(RunContext("Ada")) == "a for Ada"


def test_the_context_type_is_that_of_the_annotation() -> None:
    assert Agent[Report]("a").declared_context_type() is Report


def test_the_context_type_is_that_of_the_tools() -> None:
    def look(ctx: RunContext[Report]) -> str:
        return "x"

    assert Agent("a", tools=[function_tool(look)]).declared_context_type() is Report


def test_instructions_are_evaluated_before_every_call() -> None:
    calls: list[int] = []

    def instructions(context: RunContext[Any], agent: Agent[Any]) -> str:
        calls.append(1)
        return str(len(calls))

    model = ScriptedModel([function_call("look"), "done"])
    run_inline(Agent("a", model=model, instructions=instructions, tools=[returning(1)]), "Hi")

    assert [request.instructions for request in model.requests] == ["1", "2"]


def test_tool_choice_is_reset_after_a_tool() -> None:
    model = ScriptedModel([function_call("look"), "done"])
    settings = ModelSettings(tool_choice="required")

    run_inline(Agent("a", model=model, model_settings=settings, tools=[returning(1)]), "Hi")

    assert [request.settings.tool_choice for request in model.requests] == ["required", None]


def test_turns_run_out_after_the_tools_of_the_last_one() -> None:
    seen: list[int] = []
    look = function_tool(lambda: seen.append(1), name_override="look")

    with pytest.raises(MaxTurnsExceeded):
        answer_of(Agent("a", tools=[look]), function_call("look"), function_call("look"), max_turns=2)

    assert seen == [1, 1]


@pytest.mark.parametrize(("value", "text"), [({"a": 1}, "{'a': 1}"), (None, "None"), (Report(title="T"), "title='T'")])
def test_the_first_tools_output_is_the_answer_as_the_model_would_see_it(value: Any, text: str) -> None:
    agent = Agent("a", tools=[returning(value)], tool_use_behavior="stop_on_first_tool")

    assert answer_of(agent, function_call("look")) == text


def test_the_first_tools_output_is_the_answer_of_the_output_type() -> None:
    agent = Agent("a", tools=[returning(Report(title="T"))], tool_use_behavior="stop_on_first_tool", output_type=Report)

    assert answer_of(agent, function_call("look")) == Report(title="T")


def test_a_tools_output_that_does_not_fit_the_output_type_is_the_answer_as_it_is() -> None:
    agent = Agent("a", tools=[returning("raw")], tool_use_behavior="stop_on_first_tool", output_type=Report)

    assert answer_of(agent, function_call("look")) == "raw"


def test_only_listed_tools_end_the_run() -> None:
    tools = [returning(1, "one"), returning(2, "two")]
    agent = Agent("a", tools=tools, tool_use_behavior=StopAtTools(stop_at_tool_names=["two"]))

    assert answer_of(agent, function_call("one"), function_call("two")) == "2"


def test_a_function_may_answer_with_what_it_makes_of_the_results() -> None:
    def add(context: RunContext[Any], results: list[FunctionToolResult]) -> ToolsToFinalOutputResult:
        return ToolsToFinalOutputResult(True, sum(result.output for result in results))

    agent = Agent("a", tools=[returning(1, "one"), returning(2, "two")], tool_use_behavior=add)

    assert answer_of(agent, [function_call("one"), function_call("two")]) == "3"


def test_a_behavior_that_returns_something_else_is_an_error() -> None:
    agent = Agent("a", tools=[returning(1)], tool_use_behavior=lambda context, results: None)  # type: ignore[arg-type, return-value]

    with pytest.raises(UserError, match="must return ToolsToFinalOutputResult"):
        answer_of(agent, function_call("look"))


def test_a_tool_may_disable_itself() -> None:
    def once(ctx: RunContext[dict[str, Any]]) -> str:
        ctx.context["used"] = True
        return "used"

    tool = function_tool(once, is_enabled=lambda ctx, agent: not ctx.context["used"])
    model = ScriptedModel([function_call("once"), "done"])

    run_inline(Agent("a", model=model, tools=[tool]), "Hi", context={"used": False})

    assert [len(request.tools) for request in model.requests] == [1, 0]


def test_an_error_handler_answers_with_any_value() -> None:
    agent = Agent("a", error_handlers={"max_turns": lambda given: 42})

    assert answer_of(agent, max_turns=0) == 42


def test_an_error_handler_that_fails_ends_the_run_under_its_error() -> None:
    def fail(given: Any) -> Any:
        raise KeyError("no")

    with pytest.raises(RunFailed) as caught:
        answer_of(Agent("a", error_handlers={"max_turns": fail}), max_turns=0)

    assert caught.value.error_type == "KeyError"
