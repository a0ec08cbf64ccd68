"""The offline model and its scripts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel

from orchestrator.errors import ModelRequestRejected, UserError
from orchestrator.models.base import Item, ModelReply, ModelRequest, OutputFormat, ToolSpec
from orchestrator.models.rehearsal import Rehearsal, RehearsalModel, Script, call, say

CALL = {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "rain"}


def request(*items: Item, **changes: Any) -> ModelRequest:
    first = {"role": "user", "content": "Paris?"}
    return ModelRequest(instructions=None, input=[first, *items], agent="guide", **changes)


async def play(script: Script, *items: Item, **changes: Any) -> ModelReply:
    return await RehearsalModel(script, latency_seconds=0).respond(request(*items, **changes))


def test_a_script_sees_the_conversation() -> None:
    seen = Rehearsal(request(CALL, OUTPUT, tools=[ToolSpec("weather", "", {})]))

    assert (seen.agent, seen.user_text, seen.tools) == ("guide", "Paris?", ("weather",))
    assert seen.outputs == {"weather": "rain"}
    assert seen.called("weather")
    assert not seen.called("other")


def test_outputs_are_those_since_the_users_last_message() -> None:
    again = {"role": "user", "content": [{"type": "input_text", "text": "And Rome?"}]}

    seen = Rehearsal(request(CALL, OUTPUT, again))

    assert (seen.user_text, seen.outputs, seen.called("weather")) == ("And Rome?", {}, False)


async def test_say_answers_with_text_or_json() -> None:
    class City(BaseModel):
        name: str

    for value, text in [("hi", "hi"), (City(name="Rome"), '{"name":"Rome"}'), ({"n": 1}, '{"n": 1}')]:
        reply = await play(lambda _, value=value: say(value))  # type: ignore[misc]

        assert reply.items[0]["content"][0]["text"] == text


async def test_several_calls_get_ids_of_their_own() -> None:
    reply = await play(lambda _: [call("weather", city="Paris"), call("weather", city="Rome")])

    assert [json.loads(item["arguments"]) for item in reply.items] == [{"city": "Paris"}, {"city": "Rome"}]
    assert len({item["call_id"] for item in reply.items}) == 2


async def test_the_same_conversation_gets_the_same_ids_and_the_next_turn_gets_new_ones() -> None:
    first = await play(lambda _: call("weather"))
    repeated = await play(lambda _: call("weather"))
    later = await play(lambda _: call("weather"), CALL, OUTPUT)

    assert first.items == repeated.items
    assert first.items[0]["call_id"] != later.items[0]["call_id"]


async def test_replies_are_labelled_and_their_usage_is_an_estimate() -> None:
    reply = await play(lambda _: say("x" * 400))

    assert reply.model == "rehearsal"
    assert reply.usage.requests == 1
    assert reply.usage.output_tokens > 100
    assert reply.usage.total_tokens == reply.usage.input_tokens + reply.usage.output_tokens


async def test_text_is_streamed_word_by_word() -> None:
    pieces: list[str] = []
    model = RehearsalModel(lambda _: say("One two\n three "), latency_seconds=0)

    await model.respond(request(), on_delta=pieces.append)

    assert pieces == ["One", " two", "\n three "]


async def test_an_agent_without_a_script_says_how_to_get_a_real_model() -> None:
    reply = await RehearsalModel(latency_seconds=0).respond(request())

    text = reply.items[0]["content"][0]["text"]
    assert "`guide` has no script" in text
    assert "OPENAI_API_KEY" in text
    assert "OPENAI_BASE_URL" in text


async def test_an_agent_without_a_script_that_owes_json_fails_with_the_same_words() -> None:
    with pytest.raises(ModelRequestRejected, match="`guide` has no script"):
        await RehearsalModel(latency_seconds=0).respond(request(output_format=OutputFormat("final_output", {})))


async def test_a_script_that_returns_nothing_is_named() -> None:
    with pytest.raises(UserError, match="agent `guide` returned None"):
        await play(lambda _: None)  # type: ignore[arg-type,return-value]
