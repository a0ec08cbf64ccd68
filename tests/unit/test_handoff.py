"""`handoff()`, handoffs in a run, and filters."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel

from orchestrator.agent import Agent
from orchestrator.context import RunContext
from orchestrator.errors import AgentNotLoaded, ModelBehaviorError, RunFailed, UserError
from orchestrator.handoff import Handoff, HandoffInputData, handoff, to_function_name, to_handoff
from orchestrator.handoff_filters import remove_all_tools
from orchestrator.inline import run_inline
from orchestrator.models.base import Item
from orchestrator.testing import ScriptedModel, function_call, text_message

TO_B = function_call("transfer_to_b")


class Reason(BaseModel):
    text: str
    urgency: int


def data(*new: Item, history: tuple[Item, ...] = ()) -> HandoffInputData:
    return HandoffInputData(history, (), new, RunContext(None))


def with_reason(**fields: Any) -> Handoff:
    return handoff(Agent("b"), input_type=Reason, on_handoff=lambda context, reason: None, **fields)


@pytest.mark.parametrize(
    ("name", "expected"), [("Refunds", "refunds"), ("EU billing", "eu_billing"), ("a.b-c", "a_b_c"), ("Ä", "_")]
)
def test_function_names_hold_letters_digits_and_underscores(name: str, expected: str) -> None:
    assert to_function_name(name) == expected


def test_an_agent_is_offered_by_its_name_and_description() -> None:
    spec = to_handoff(Agent("Refunds", handoff_description="Knows money.")).to_spec()

    assert spec.name == "transfer_to_refunds"
    assert spec.description == "Handoff to the Refunds agent to handle the request. Knows money."
    assert spec.parameters == {"additionalProperties": False, "type": "object", "properties": {}, "required": []}


def test_name_and_description_may_be_overridden() -> None:
    spec = handoff(Agent("b"), tool_name_override="up", tool_description_override="Pass it up.").to_spec()

    assert (spec.name, spec.description) == ("up", "Pass it up.")


def test_input_has_a_strict_schema() -> None:
    schema = with_reason().to_spec().parameters

    assert (schema["required"], schema["additionalProperties"]) == (["text", "urgency"], False)


def test_input_needs_somebody_who_receives_it() -> None:
    with pytest.raises(UserError, match="needs on_handoff"):
        handoff(Agent("b"), input_type=Reason)


def test_on_handoff_must_take_the_input() -> None:
    with pytest.raises(UserError, match=r"must take \(context, input\)"):
        handoff(Agent("b"), input_type=Reason, on_handoff=lambda context: None)


def test_on_handoff_without_input_must_take_the_context_alone() -> None:
    with pytest.raises(UserError, match=r"must take \(context\)"):
        handoff(Agent("b"), on_handoff=lambda context, reason: None)


async def test_on_handoff_gets_the_typed_input() -> None:
    seen: list[Any] = []
    offered = handoff(Agent("b"), input_type=Reason, on_handoff=lambda context, reason: seen.append(reason))

    await offered.accept(RunContext(None), '{"text": "angry", "urgency": 3}')

    assert seen == [Reason(text="angry", urgency=3)]


@pytest.mark.parametrize("arguments", ["", "null", "{broken", '{"text": "x"}', '{"text": "x", "urgency": "3"}'])
async def test_input_that_does_not_fit_is_the_models_error(arguments: str) -> None:
    with pytest.raises(ModelBehaviorError, match="`transfer_to_b`"):
        await with_reason().accept(RunContext(None), arguments)


async def test_a_filter_may_be_async() -> None:
    async def nothing(given: HandoffInputData) -> HandoffInputData:
        return given.clone(new_items=())

    assert (await handoff(Agent("b"), input_filter=nothing).filter(data(TO_B))).new_items == ()


async def test_a_filter_must_return_its_data() -> None:
    with pytest.raises(UserError, match="must return HandoffInputData"):
        await handoff(Agent("b"), input_filter=lambda given: None).filter(data())  # type: ignore[arg-type, return-value]


def test_all_tools_are_removed_from_every_part() -> None:
    said: Item = {"role": "user", "content": "Hi"}
    search: Item = {"type": "web_search_call", "id": "ws"}
    given = data(text_message("x"), TO_B, {"type": "reasoning", "id": "rs"}, history=(said, search))

    filtered = remove_all_tools(given.clone(input_items=(search, said)))

    assert (filtered.input_history, filtered.new_items) == ((said,), (text_message("x"),))
    assert filtered.input_items == (said,)


def test_the_next_agent_sees_the_whole_conversation() -> None:
    model = ScriptedModel([TO_B, "done"])
    agent = Agent("a", model=model, instructions="I am A.", handoffs=[Agent("b", model=model, instructions="I am B.")])

    result = run_inline(agent, "Hi")

    assert result.last_agent == "b"
    user, call, output = model.requests[1].input
    assert (user["content"], call["name"], json.loads(output["output"])) == ("Hi", "transfer_to_b", {"assistant": "b"})
    assert model.requests[1].instructions == "I am B."


def test_handoffs_that_are_ignored_are_answered_first() -> None:
    model = ScriptedModel([[TO_B, function_call("transfer_to_c")], "done"])
    agent = Agent("a", model=model, handoffs=[Agent("b", model=model), Agent("c", model=model)])

    run_inline(agent, "Hi")

    outputs = [item["output"] for item in model.requests[1].input if item.get("type") == "function_call_output"]
    assert outputs == ["Multiple handoffs detected, ignoring this one.", '{"assistant": "b"}']


def test_a_filter_decides_what_the_next_agent_sees() -> None:
    model = ScriptedModel([[text_message("bye"), TO_B], "done"])
    to_b = handoff(Agent("b", model=model), input_filter=remove_all_tools)

    run_inline(Agent("a", model=model, handoffs=[to_b]), "Hi")

    assert list(model.requests[1].input) == [{"role": "user", "content": "Hi"}, text_message("bye")]


def test_an_exception_of_on_handoff_ends_the_run_under_its_name() -> None:
    def refuse(context: RunContext[Any]) -> None:
        raise KeyError("no")

    agent = Agent("a", model=ScriptedModel([TO_B]), handoffs=[handoff(Agent("b"), on_handoff=refuse)])

    with pytest.raises(RunFailed) as caught:
        run_inline(agent, "Hi")

    assert caught.value.error_type == "KeyError"


def test_a_name_that_nobody_has_loaded_is_an_error_that_says_what_to_load() -> None:
    agent = Agent("a", model=ScriptedModel([TO_B]), handoffs=["b"])

    with pytest.raises(AgentNotLoaded, match="hands off to `b`, which no worker has loaded"):
        run_inline(agent, "Hi")
