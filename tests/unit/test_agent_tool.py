"""Agents as tools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel, Field

from orchestrator.agent import Agent
from orchestrator.agent_tool import StructuredToolInput
from orchestrator.context import RunContext, ToolContext
from orchestrator.errors import MaxTurnsExceeded, ModelBehaviorError, ModelRequestRejected, RunFailed, UserError
from orchestrator.inline import run_inline
from orchestrator.result import RunResult
from orchestrator.testing import ScriptedModel, function_call
from orchestrator.tool import default_tool_error_function, function_tool

ASK = function_call("ask", {"input": "Why?"})


class Question(BaseModel):
    text: str
    depth: int = 1


class Described(BaseModel):
    text: str = Field(description="What to find out")


@dataclass
class Pair:
    left: str
    right: str


def ask_and_answer(child: Agent[Any], *calls: Any, context: Any = None, **options: Any) -> tuple[RunResult, list[Any]]:
    """A run whose agent makes these calls in one reply; also the outputs that it was shown."""
    model = ScriptedModel([list(calls), "done"])
    agent = Agent("a", model=model, tools=[child.as_tool("ask", "Asks.", **options)])
    result = run_inline(agent, "Hi", context=context)
    shown = [item for item in model.requests[1].input if item.get("type") == "function_call_output"]
    return result, [item["output"] for item in shown]


def test_name_and_schema_are_those_of_a_text_input() -> None:
    spec = Agent("Fraud check").as_tool().to_spec()

    assert (spec.name, spec.description) == ("fraud_check", "")
    assert spec.parameters["required"] == ["input"]
    assert spec.parameters["additionalProperties"] is False


def test_parameters_must_be_structured() -> None:
    with pytest.raises(UserError, match="must be a dataclass or pydantic model"):
        Agent("b").as_tool("ask", parameters=int)


async def test_text_becomes_the_user_message() -> None:
    assert await Agent("b").as_tool().build_input('{"input": "Why?"}') == [{"role": "user", "content": "Why?"}]


async def test_typed_arguments_without_descriptions_become_json() -> None:
    built = await Agent("b").as_tool(parameters=Question).build_input('{"text": "Why?"}')

    assert built == [{"role": "user", "content": '{"text": "Why?", "depth": 1}'}]


async def test_typed_arguments_may_be_a_dataclass() -> None:
    built = await Agent("b").as_tool(parameters=Pair).build_input('{"left": "a", "right": "b"}')

    assert built == [{"role": "user", "content": '{"left": "a", "right": "b"}'}]


async def test_descriptions_of_fields_are_told_with_the_arguments() -> None:
    [message] = await Agent("b").as_tool(parameters=Described).build_input('{"text": "Why?"}')

    assert "- text: What to find out" in message["content"]
    assert '"text": "Why?"' in message["content"]


async def test_the_schema_is_told_where_asked_for() -> None:
    tool = Agent("b").as_tool(parameters=Question, include_input_schema=True)

    [message] = await tool.build_input('{"text": "Why?"}')

    assert '"depth"' in message["content"]
    assert '"type": "integer"' in message["content"]


async def test_a_builder_may_return_items() -> None:
    async def build(given: StructuredToolInput) -> list[dict[str, Any]]:
        return [{"role": "user", "content": given["params"]["text"]}]

    built = await Agent("b").as_tool(parameters=Question, input_builder=build).build_input('{"text": "Why?"}')

    assert built == [{"role": "user", "content": "Why?"}]


async def test_a_builder_must_return_text_or_items() -> None:
    tool = Agent("b").as_tool(parameters=Question, input_builder=lambda given: 1)  # type: ignore[arg-type, return-value]

    with pytest.raises(UserError, match="must return text or items, not 1"):
        await tool.build_input('{"text": "Why?"}')


@pytest.mark.parametrize("arguments", ["{broken", "[]", "{}", '{"input": 3}'])
async def test_arguments_that_do_not_fit_are_the_models_error(arguments: str) -> None:
    with pytest.raises(ModelBehaviorError, match="Invalid JSON input for tool ask"):
        await Agent("b").as_tool("ask").build_input(arguments)


def test_the_called_agent_sees_its_input_only() -> None:
    child = Agent("b", model=(model := ScriptedModel(["Because."])))

    _, outputs = ask_and_answer(child, ASK)

    assert list(model.requests[0].input) == [{"role": "user", "content": "Why?"}]
    assert outputs == ["Because."]


def test_an_empty_answer_is_replaced_by_the_last_output() -> None:
    look = function_tool(lambda: "seen", name_override="look")
    child = Agent("b", model=ScriptedModel([function_call("look"), []]), tools=[look])

    assert ask_and_answer(child, ASK)[1] == ["seen"]


def test_wrong_arguments_are_told_to_the_caller() -> None:
    _, outputs = ask_and_answer(Agent("b"), function_call("ask", "{broken"))

    assert outputs == [default_tool_error_function(ToolContext(None), ValueError())]


def test_wrong_arguments_do_not_keep_the_other_calls_from_their_answers() -> None:
    child = Agent("b", model=ScriptedModel(["Because."]))

    _, outputs = ask_and_answer(child, function_call("ask", "{broken"), ASK)

    assert outputs[1:] == ["Because."]


def test_wrong_arguments_may_end_the_run() -> None:
    with pytest.raises(ModelBehaviorError, match="Invalid JSON input for tool ask"):
        ask_and_answer(Agent("b"), function_call("ask", "{broken"), failure_error_function=None)


def test_a_failure_is_told_to_the_caller_in_chosen_words() -> None:
    child = Agent("b", model=ScriptedModel([ModelRequestRejected("bad key")]))

    _, outputs = ask_and_answer(child, ASK, failure_error_function=lambda context, error: f"failed: {error}")

    assert outputs == ["failed: bad key"]


def test_a_failure_may_end_the_callers_run_as_what_it_is() -> None:
    child = Agent("b", model=ScriptedModel([ModelRequestRejected("bad key")]))

    with pytest.raises(ModelRequestRejected, match="bad key"):
        ask_and_answer(child, ASK, failure_error_function=None)


def test_turns_of_the_called_agent_are_its_own() -> None:
    look = function_tool(lambda: "seen", name_override="look")
    child = Agent("b", model=ScriptedModel([function_call("look")] * 3), tools=[look])

    with pytest.raises(MaxTurnsExceeded, match="has had its 2 turns"):
        ask_and_answer(child, ASK, max_turns=2, failure_error_function=None)


def test_an_extractor_chooses_the_output() -> None:
    def extract(result: RunResult) -> str:
        assert result.agent_tool_invocation is not None
        return f"{result.final_output} to {result.agent_tool_invocation.tool_arguments}"

    child = Agent("b", model=ScriptedModel(["Because."]))

    assert ask_and_answer(child, ASK, custom_output_extractor=extract)[1] == ['Because. to {"input": "Why?"}']


def test_an_extractor_that_fails_is_a_failure_of_the_tool() -> None:
    def extract(result: RunResult) -> str:
        raise KeyError("no")

    child = Agent("b", model=ScriptedModel(["Because."]))
    explain = {"failure_error_function": lambda context, error: type(error).__name__}

    assert ask_and_answer(child, ASK, custom_output_extractor=extract, **explain)[1] == ["KeyError"]


def test_a_failure_function_that_fails_ends_the_run() -> None:
    def explain(context: ToolContext[Any], error: Exception) -> str:
        raise KeyError("again")

    with pytest.raises(UserError, match="Error running tool ask"):
        ask_and_answer(Agent("b"), function_call("ask", "{broken"), failure_error_function=explain)


def test_changes_of_the_context_come_back() -> None:
    def mark(ctx: RunContext[dict[str, Any]]) -> str:
        ctx.context["marks"] += 1
        return "marked"

    child = Agent("b", model=ScriptedModel([function_call("mark"), "Because."]), tools=[function_tool(mark)])

    result, _ = ask_and_answer(child, ASK, context={"marks": 1, "kept": "k"})

    assert result.context == {"marks": 2, "kept": "k"}


def test_changes_of_the_context_come_back_from_a_failure() -> None:
    def mark(ctx: RunContext[dict[str, Any]]) -> str:
        ctx.context["marks"] += 1
        return "marked"

    replies = [function_call("mark"), ModelRequestRejected("no")]
    child = Agent("b", model=ScriptedModel(replies), tools=[function_tool(mark)])

    result, _ = ask_and_answer(child, ASK, context={"marks": 1})

    assert result.context == {"marks": 2}


def test_usage_of_called_agents_counts() -> None:
    child = Agent("b", model=ScriptedModel(["Because."]))

    assert ask_and_answer(child, ASK)[0].usage.requests == 3


def test_an_exception_in_a_called_agent_keeps_its_name() -> None:
    def fail(context: RunContext[Any], agent: Agent[Any]) -> str:
        raise KeyError("no")

    with pytest.raises(RunFailed) as caught:
        ask_and_answer(Agent("b", instructions=fail, model=ScriptedModel()), ASK, failure_error_function=None)

    assert caught.value.error_type == "KeyError"
