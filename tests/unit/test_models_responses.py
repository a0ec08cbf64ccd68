"""What the Responses model sends, and how it reads what comes back, without a server."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.model_settings import ModelSettings
from orchestrator.models.base import Item, ModelRequest, OutputFormat, ToolSpec
from orchestrator.models.openai_responses import build_body, clean_item, read_usage, tool_choice

WEATHER = ToolSpec("weather", "The weather.", {"type": "object", "properties": {}}, strict=True)
HELLO = [{"role": "user", "content": "hi"}]


def request(**changes: Any) -> ModelRequest:
    return ModelRequest(**{"instructions": None, "input": HELLO, **changes})


def test_body_leaves_out_what_nobody_set() -> None:
    assert build_body(request(), "m") == {"model": "m", "input": HELLO}


def test_empty_instructions_are_sent() -> None:
    assert build_body(request(instructions=""), "m")["instructions"] == ""


def test_functions_and_hosted_tools_are_sent_side_by_side() -> None:
    hosted = {"type": "web_search", "user_location": None}

    body = build_body(request(tools=[WEATHER, hosted]), "m")

    function = {"type": "function", "name": "weather", "description": "The weather.", "strict": True}
    assert body["tools"] == [{**function, "parameters": WEATHER.parameters}, hosted]


def test_output_format_and_verbosity_share_the_text_field() -> None:
    output_format = OutputFormat("final_output", {"type": "object"}, strict=False)

    body = build_body(request(output_format=output_format, settings=ModelSettings(verbosity="low")), "m")

    schema = {"type": "json_schema", "name": "final_output", "schema": {"type": "object"}, "strict": False}
    assert body["text"] == {"format": schema, "verbosity": "low"}


def test_every_setting_reaches_its_field() -> None:
    settings = ModelSettings(
        temperature=0.1,
        top_p=0.2,
        frequency_penalty=0.3,
        tool_choice="required",
        parallel_tool_calls=False,
        truncation="auto",
        max_tokens=55,
        reasoning={"effort": "low"},
        metadata={"a": "b"},
        store=False,
        prompt_cache_retention="24h",
        response_include=["reasoning.encrypted_content"],
        top_logprobs=2,
        extra_args={"service_tier": "flex"},
        extra_body={"temperature": 9},
    )

    body = build_body(request(tools=[WEATHER], settings=settings), "m")

    del body["tools"], body["input"], body["model"]
    assert body == {
        "temperature": 9,
        "top_p": 0.2,
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "truncation": "auto",
        "max_output_tokens": 55,
        "reasoning": {"effort": "low"},
        "metadata": {"a": "b"},
        "store": False,
        "prompt_cache_retention": "24h",
        "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
        "top_logprobs": 2,
        "service_tier": "flex",
    }


def test_parallel_calls_are_not_mentioned_where_there_are_no_tools() -> None:
    assert "parallel_tool_calls" not in build_body(request(settings=ModelSettings(parallel_tool_calls=True)), "m")


def test_prompt_template_is_sent_without_its_gaps() -> None:
    body = build_body(request(prompt={"id": "pmpt_1", "version": None, "variables": {"a": "b"}}), None)

    assert body == {"input": HELLO, "prompt": {"id": "pmpt_1", "variables": {"a": "b"}}}


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        (None, None),
        ("auto", "auto"),
        ("none", "none"),
        ("weather", {"type": "function", "name": "weather"}),
        ("web_search", {"type": "web_search"}),
        ("shell", {"type": "shell"}),
        ("apply_patch", {"type": "function", "name": "apply_patch"}),
    ],
)
def test_tool_choice_names_a_mode_a_hosted_tool_or_a_function(choice: str | None, sent: object) -> None:
    assert tool_choice(choice, [WEATHER], [{"type": "shell"}]) == sent


def test_a_function_called_like_a_hosted_tool_is_still_a_function() -> None:
    own = ToolSpec("web_search", "", {})

    assert tool_choice("web_search", [own], []) == {"type": "function", "name": "web_search"}


def test_items_lose_only_what_the_api_would_reject() -> None:
    item: Item = {"type": "reasoning", "id": "rs_1", "status": None, "created_by": "x", "content": None, "summary": []}

    assert clean_item(item) == {"type": "reasoning", "id": "rs_1", "content": None, "summary": []}
    assert clean_item({"type": "message", "status": "completed"}) == {"type": "message", "status": "completed"}


def test_reasoning_of_another_api_is_not_sent() -> None:
    foreign = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}
    own = {"type": "reasoning", "id": "rs_1", "summary": []}

    assert build_body(request(input=[foreign, own]), "m")["input"] == [own]


def test_usage_counts_cached_and_reasoning_tokens() -> None:
    usage = read_usage(
        {
            "input_tokens": 10,
            "input_tokens_details": {"cached_tokens": 4},
            "output_tokens": 7,
            "output_tokens_details": {"reasoning_tokens": 3},
            "total_tokens": 17,
        }
    )

    assert usage.model_dump() == {
        "requests": 1,
        "input_tokens": 10,
        "output_tokens": 7,
        "total_tokens": 17,
        "cached_tokens": 4,
        "reasoning_tokens": 3,
    }


def test_usage_without_details_counts_as_none() -> None:
    usage = read_usage({"input_tokens": 1, "output_tokens": 2, "input_tokens_details": None})

    assert (usage.total_tokens, usage.cached_tokens) == (3, 0)
