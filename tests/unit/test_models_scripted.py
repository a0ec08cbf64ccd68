"""The scripted model that users test their agents with."""

from __future__ import annotations

import pytest

from orchestrator.errors import ModelUnavailable, UserError
from orchestrator.models.base import ModelReply, ModelRequest
from orchestrator.testing import ScriptedModel, function_call, text_message
from orchestrator.usage import Usage

REQUEST = ModelRequest(instructions=None, input=[], agent="guide")


async def test_replies_come_in_order_and_requests_are_kept() -> None:
    model = ScriptedModel(["one", [text_message("two"), function_call("t", {"a": 1})]])

    first, second = await model.respond(REQUEST), await model.respond(REQUEST)

    assert first.items == [text_message("one")]
    assert second.items == [text_message("two"), function_call("t", {"a": 1}, call_id="call_guide_2_2")]
    assert model.requests == [REQUEST, REQUEST]


async def test_a_call_id_of_the_test_is_kept() -> None:
    model = ScriptedModel([function_call("t", "{broken", call_id="mine")])

    [item] = (await model.respond(REQUEST)).items

    assert (item["call_id"], item["arguments"]) == ("mine", "{broken")


async def test_a_whole_reply_is_given_as_it_is() -> None:
    reply = ModelReply([text_message("x")], Usage(requests=1, input_tokens=9), "m")

    assert await ScriptedModel([reply]).respond(REQUEST) is reply


async def test_a_scripted_error_is_raised() -> None:
    model = ScriptedModel([ModelUnavailable("busy"), "then fine"])

    with pytest.raises(ModelUnavailable, match="busy"):
        await model.respond(REQUEST)
    assert (await model.respond(REQUEST)).items == [text_message("then fine")]


async def test_a_script_that_has_run_out_names_the_agent() -> None:
    model = ScriptedModel(["one"])
    await model.respond(REQUEST)

    with pytest.raises(UserError, match="asked 2 times, the last time by agent `guide`, and its script has 1 replies"):
        await model.respond(REQUEST)


async def test_text_is_streamed() -> None:
    pieces: list[str] = []

    await ScriptedModel(["hello"]).respond(REQUEST, on_delta=pieces.append)

    assert pieces == ["hello"]
