"""Putting the chunks of a streamed chat completion together."""

from __future__ import annotations

from typing import Any

from orchestrator.models.chat_items import from_message
from orchestrator.models.chat_stream import StreamedCompletion


def add(streamed: StreamedCompletion, finish_reason: str | None = None, **delta: Any) -> str:
    return streamed.add({"id": "c", "model": "m", "choices": [{"delta": delta, "finish_reason": finish_reason}]})


def part(index: int | None, arguments: str, **head: Any) -> dict[str, Any]:
    name = head.pop("name", None)
    return {"index": index, **head, "function": {"arguments": arguments, **({"name": name} if name else {})}}


def test_text_is_returned_piece_by_piece_and_kept() -> None:
    streamed = StreamedCompletion()

    pieces = [add(streamed, content="Hel"), add(streamed, content="lo"), add(streamed, "stop")]

    assert pieces == ["Hel", "lo", ""]
    choice = streamed.completion()["choices"][0]
    assert choice == {"message": {"content": "Hello"}, "finish_reason": "stop"}


def test_calls_are_joined_by_index() -> None:
    streamed = StreamedCompletion()

    add(streamed, tool_calls=[part(0, "", id="c1", name="one"), part(1, "", id="c2", name="two")])
    add(streamed, tool_calls=[part(1, '{"b"'), part(0, '{"a"')])
    add(streamed, tool_calls=[part(0, ": 1}"), part(1, ": 2}")])

    items = from_message(streamed.completion()["choices"][0]["message"])
    assert [(item["call_id"], item["name"], item["arguments"]) for item in items] == [
        ("c1", "one", '{"a": 1}'),
        ("c2", "two", '{"b": 2}'),
    ]


def test_whole_calls_that_share_an_index_stay_apart() -> None:
    streamed = StreamedCompletion()

    add(streamed, tool_calls=[part(0, "{}", id="c1", name="one")])
    add(streamed, tool_calls=[part(0, "{}", id="c2", name="two")])

    calls = streamed.completion()["choices"][0]["message"]["tool_calls"]
    assert [call["id"] for call in calls] == ["c1", "c2"]


def test_calls_without_an_index_follow_their_id() -> None:
    streamed = StreamedCompletion()

    add(streamed, tool_calls=[part(None, '{"a"', id="c1", name="one")])
    add(streamed, tool_calls=[part(None, ": 1}")])

    [call] = streamed.completion()["choices"][0]["message"]["tool_calls"]
    assert call["function"]["arguments"] == '{"a": 1}'


def test_the_last_count_of_tokens_is_the_usage() -> None:
    streamed = StreamedCompletion()

    streamed.add({"choices": [], "usage": {"prompt_tokens": 1}})
    streamed.add({"choices": [], "usage": {"prompt_tokens": 2}})
    streamed.add({"choices": [], "usage": None})

    assert streamed.completion()["usage"] == {"prompt_tokens": 2}
    assert streamed.is_empty
