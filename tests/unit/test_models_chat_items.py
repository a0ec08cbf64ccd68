"""The translation between Responses items and Chat Completions messages."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.errors import UserError
from orchestrator.model_settings import ModelSettings
from orchestrator.models.base import Item, ModelRequest, OutputFormat, ToolSpec
from orchestrator.models.chat_items import FILTERED, NOT_CARRIED, from_message, read_chat_usage, to_messages
from orchestrator.models.openai_chat import build_chat_body

WEATHER = ToolSpec("weather", "The weather.", {"type": "object"}, strict=True)


def call(call_id: str, arguments: str = "{}") -> Item:
    return {
        "type": "function_call",
        "id": f"fc_{call_id}",
        "call_id": call_id,
        "name": "weather",
        "arguments": arguments,
    }


def output(call_id: str, value: Any) -> Item:
    return {"type": "function_call_output", "call_id": call_id, "output": value}


def answer(*texts: str) -> Item:
    parts = [{"type": "output_text", "text": text, "annotations": []} for text in texts]
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": parts}


def wire_call(call_id: str, arguments: str = "{}") -> Item:
    return {"id": call_id, "type": "function", "function": {"name": "weather", "arguments": arguments}}


def test_instructions_become_the_first_system_message() -> None:
    messages = to_messages([{"role": "user", "content": "hi"}], instructions="Be kind.")

    assert messages == [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "hi"}]


def test_empty_instructions_are_no_message() -> None:
    assert to_messages([], instructions="") == []


def test_system_and_developer_messages_keep_their_role() -> None:
    items: list[Item] = [
        {"role": "system", "content": "s"},
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "d"}]},
    ]

    assert to_messages(items) == [
        {"role": "system", "content": "s"},
        {"role": "developer", "content": [{"type": "text", "text": "d"}]},
    ]


def test_images_files_and_audio_are_carried() -> None:
    parts = [
        {"type": "input_text", "text": "look"},
        {"type": "input_image", "image_url": "http://i", "detail": "low"},
        {"type": "input_image", "image_url": "data:image/png;base64,AA"},
        {"type": "input_file", "file_data": "data:application/pdf;base64,AA", "filename": "f.pdf"},
        {"type": "input_file", "file_id": "file_1"},
        {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}},
    ]

    [message] = to_messages([{"role": "user", "content": parts}])

    assert message["content"] == [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "http://i", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA", "detail": "auto"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,AA", "filename": "f.pdf"}},
        {"type": "file", "file": {"file_id": "file_1"}},
        {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}},
    ]


def test_a_part_that_cannot_be_carried_says_so() -> None:
    with pytest.raises(UserError, match="`input_image` part"):
        to_messages([{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}])


def test_text_and_the_calls_after_it_are_one_message() -> None:
    items = [answer("thinking"), call("c1"), call("c2", ""), output("c1", "one"), output("c2", "two"), answer("done")]

    assert to_messages(items) == [
        {"role": "assistant", "content": "thinking", "tool_calls": [wire_call("c1"), wire_call("c2")]},
        {"role": "tool", "tool_call_id": "c1", "content": "one"},
        {"role": "tool", "tool_call_id": "c2", "content": "two"},
        {"role": "assistant", "content": "done"},
    ]


def test_calls_of_two_turns_are_two_messages() -> None:
    messages = to_messages([call("c1"), output("c1", "one"), call("c2"), output("c2", "two")])

    assert [message["role"] for message in messages] == ["assistant", "tool", "assistant", "tool"]
    assert messages[0] == {"role": "assistant", "content": None, "tool_calls": [wire_call("c1")]}


def test_parts_of_an_assistants_message_are_lines() -> None:
    assert to_messages([answer("one", "two")]) == [{"role": "assistant", "content": "one\ntwo"}]


def test_a_refusal_stays_a_refusal() -> None:
    refused = {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}

    assert to_messages([refused]) == [{"role": "assistant", "refusal": "no"}]


def test_tool_outputs_are_text_only() -> None:
    parts = [{"type": "input_text", "text": "see"}, {"type": "input_image", "image_url": "http://i"}]

    messages = to_messages([call("c1"), call("c2"), output("c1", parts), output("c2", parts[1:])])

    assert messages[1]["content"] == [{"type": "text", "text": "see"}]
    assert messages[2]["content"] == NOT_CARRIED


def test_items_of_hosted_tools_are_refused_by_name() -> None:
    with pytest.raises(UserError, match="`web_search_call`"):
        to_messages([{"type": "web_search_call", "id": "ws_1"}])


def test_reasoning_goes_back_in_the_field_it_came_in() -> None:
    items = from_message({"content": "", "reasoning": "hm", "tool_calls": [wire_call("c1")]})

    [message] = to_messages(items)

    assert message == {"role": "assistant", "content": None, "tool_calls": [wire_call("c1")], "reasoning": "hm"}


def test_reasoning_content_goes_back_only_where_it_is_wanted() -> None:
    items = from_message({"content": "", "reasoning_content": "hm", "tool_calls": [wire_call("c1")]})

    assert "reasoning_content" not in to_messages(items)[0]
    assert to_messages(items, echo_reasoning=True)[0]["reasoning_content"] == "hm"


def test_reasoning_of_the_responses_api_is_dropped() -> None:
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]}

    assert to_messages([reasoning, call("c1")], echo_reasoning=True)[0] == to_messages([call("c1")])[0]


def test_a_message_becomes_text_and_calls() -> None:
    items = from_message({"content": "let me see", "tool_calls": [wire_call("c1", '{"city": "Paris"}')]}, "tool_calls")

    assert items == [
        {
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "let me see", "annotations": []}],
        },
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city": "Paris"}'},
    ]


def test_an_empty_message_is_no_item() -> None:
    assert from_message({"content": ""}, "stop") == []


def test_a_filtered_message_is_a_refusal() -> None:
    [item] = from_message({"content": ""}, "content_filter")

    assert item["content"] == [{"type": "refusal", "refusal": FILTERED}]


def test_a_message_cut_at_the_token_limit_says_so() -> None:
    [item] = from_message({"content": "Once upon"}, "length")

    assert item["status"] == "incomplete"


def test_usage_without_details_counts_as_none() -> None:
    usage = read_chat_usage({"prompt_tokens": 3, "completion_tokens": 4, "prompt_tokens_details": None})

    assert (usage.requests, usage.total_tokens, usage.cached_tokens) == (1, 7, 0)


def test_body_carries_tools_schema_and_settings() -> None:
    settings = ModelSettings(
        tool_choice="weather",
        parallel_tool_calls=False,
        reasoning={"effort": "low", "summary": "auto"},
        top_logprobs=2,
        max_tokens=5,
        truncation="auto",
        verbosity="low",
        presence_penalty=0.4,
        extra_body={"x": 1},
    )
    output_format = OutputFormat("final_output", {"type": "object"})

    body = build_chat_body(
        ModelRequest(instructions=None, input=[], tools=[WEATHER], output_format=output_format, settings=settings), "m"
    )

    weather = {"name": "weather", "description": "The weather.", "parameters": {"type": "object"}, "strict": True}
    assert body == {
        "model": "m",
        "messages": [],
        "tools": [{"type": "function", "function": weather}],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "parallel_tool_calls": False,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "final_output", "strict": True, "schema": {"type": "object"}},
        },
        "reasoning_effort": "low",
        "logprobs": True,
        "top_logprobs": 2,
        "max_tokens": 5,
        "verbosity": "low",
        "presence_penalty": 0.4,
        "x": 1,
    }


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"tools": [{"type": "web_search"}]}, "`web_search`"), ({"prompt": {"id": "p"}}, "prompt template")],
)
def test_what_only_the_responses_api_has_is_refused(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(UserError, match=named):
        build_chat_body(ModelRequest(instructions=None, input=[], agent="a", **changes), "m")
