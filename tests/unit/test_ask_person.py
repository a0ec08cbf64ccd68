"""`ask_person`: an agent's question to people, and their answer."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from orchestrator import Agent, InvalidAnswer, OpenQuestion, ask_person, run_inline
from orchestrator.testing import ScriptedModel, function_call
from tests.unit.test_approvals import told


class Address(BaseModel):
    street: str
    number: int


def asking(arguments: Any = None, *, then: str = "Thanks.") -> ScriptedModel:
    return ScriptedModel([function_call("ask_person", arguments or {"question": "Where to?"}, call_id="q"), then])


def test_the_model_is_told_the_answer() -> None:
    model = asking()
    asked: list[OpenQuestion] = []

    def answer(question: OpenQuestion) -> str:
        asked.append(question)
        return "Paris"

    run_inline(Agent("a", model=model, tools=[ask_person()]), "Go.", people=answer)

    assert told(model) == {"q": "Paris"}
    assert [(question.kind, question.arguments) for question in asked] == [("answer", '{"question": "Where to?"}')]


def test_an_answer_is_typed() -> None:
    model = asking()
    agent = Agent("a", model=model, tools=[ask_person(output_type=Address)])

    run_inline(agent, "Go.", people=lambda question: {"street": "Main", "number": 7})

    assert told(model) == {"q": '{"street": "Main", "number": 7}'}


@pytest.mark.parametrize("value", ["Main 7", {"street": "Main"}, None])
def test_an_answer_of_another_type_is_refused(value: Any) -> None:
    agent = Agent("a", model=asking(), tools=[ask_person(output_type=Address)])

    with pytest.raises(InvalidAnswer, match=r"Question `q` of run .* asks for Address"):
        run_inline(agent, "Go.", people=lambda question: value)


def test_a_question_that_nobody_could_read_goes_back_to_the_model() -> None:
    model = asking("{}")

    def nobody(question: OpenQuestion) -> None:
        raise AssertionError("somebody was asked")

    run_inline(Agent("a", model=model, tools=[ask_person()]), "Go.", people=nobody)

    assert told(model) == {"q": "An error occurred while running the tool. Please try again."}


def test_the_tool_is_named_and_described() -> None:
    tool = ask_person("ask_boss", description="Ask the boss.")

    assert (tool.name, tool.description) == ("ask_boss", "Ask the boss.")
    assert list(tool.params_json_schema["properties"]) == ["question"]
