"""Renders Responses items as the bodies and event streams that a model's server sends, for both APIs."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Any

Json = dict[str, Any]

_numbers = itertools.count(1)


def message(text: str, *, id: str | None = None) -> Json:
    """An assistant's message, as the Responses API sends it."""
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return _assistant(part, id)


def refusal(text: str) -> Json:
    """An assistant's message that refuses."""
    return _assistant({"type": "refusal", "refusal": text}, None)


def tool_call(name: str, arguments: Json | str | None = None, *, call_id: str | None = None) -> Json:
    """A function call. `arguments` may be text, so that it can be broken."""
    number = next(_numbers)
    return {
        "type": "function_call",
        "id": f"fc_{number}",
        "call_id": call_id or f"call_{number}",
        "name": name,
        "arguments": arguments if isinstance(arguments, str) else json.dumps(arguments or {}),
        "status": "completed",
    }


def usage(input_tokens: int = 10, output_tokens: int = 5, *, cached: int = 0, reasoning: int = 0) -> Json:
    """Token counts, as the Responses API sends them."""
    return {
        "input_tokens": input_tokens,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": input_tokens + output_tokens,
    }


def responses_body(request: Json, items: Sequence[Json], tokens: Json, changes: Json) -> Json:
    """The body that `POST /responses` answers with."""
    return {
        "id": f"resp_{next(_numbers)}",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": request.get("model", "test-model"),
        "output": list(items),
        "parallel_tool_calls": True,
        "tool_choice": request.get("tool_choice", "auto"),
        "tools": request.get("tools", []),
        "usage": tokens,
        **changes,
    }


def responses_events(body: Json) -> Iterator[Json]:
    """The same reply as the events of a stream."""
    started = {**body, "status": "in_progress", "output": [], "usage": None}
    events = itertools.chain(
        [{"type": "response.created", "response": started}],
        *(_item_events(index, item) for index, item in enumerate(body["output"])),
        [{"type": f"response.{body['status']}", "response": body}],
    )
    for number, event in enumerate(events):
        yield {**event, "sequence_number": number}


def chat_body(request: Json, items: Sequence[Json], tokens: Json, changes: Json) -> Json:
    """The body that `POST /chat/completions` answers with."""
    answer: Json = {"role": "assistant", "content": None, "refusal": None}
    for item in items:
        if item["type"] == "function_call":
            function = {"name": item["name"], "arguments": item["arguments"]}
            wanted = {"id": item["call_id"], "type": "function", "function": function}
            answer.setdefault("tool_calls", []).append(wanted)
        for part in item.get("content") or []:
            if part["type"] == "output_text":
                answer["content"] = (answer["content"] or "") + part["text"]
            elif part["type"] == "refusal":
                answer["refusal"] = part["refusal"]
    finish = "tool_calls" if "tool_calls" in answer else "stop"
    return {
        "id": f"chatcmpl-{next(_numbers)}",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": request.get("model", "test-model"),
        "choices": [{"index": 0, "message": answer, "finish_reason": finish, "logprobs": None}],
        "usage": chat_usage(tokens),
        **changes,
    }


def chat_events(body: Json, *, with_usage: bool) -> Iterator[Json]:
    """The same reply as the chunks of a stream."""
    choice = body["choices"][0]
    common = {"id": body["id"], "object": "chat.completion.chunk", "created": body["created"], "model": body["model"]}
    deltas = [{"role": "assistant", "content": ""}, *_message_deltas(choice["message"])]
    for delta in deltas:
        yield {**common, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield {**common, "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]}
    if with_usage:
        yield {**common, "choices": [], "usage": body["usage"]}


def chat_usage(tokens: Json) -> Json:
    """Token counts, as the Chat Completions API sends them."""
    return {
        "prompt_tokens": tokens["input_tokens"],
        "completion_tokens": tokens["output_tokens"],
        "total_tokens": tokens["total_tokens"],
        "prompt_tokens_details": {"cached_tokens": tokens["input_tokens_details"]["cached_tokens"]},
        "completion_tokens_details": {"reasoning_tokens": tokens["output_tokens_details"]["reasoning_tokens"]},
    }


def _assistant(part: Json, id: str | None) -> Json:
    return {
        "type": "message",
        "id": id or f"msg_{next(_numbers)}",
        "role": "assistant",
        "status": "completed",
        "content": [part],
    }


def _item_events(index: int, item: Json) -> Iterator[Json]:
    place = {"output_index": index, "item_id": item.get("id")}
    yield {"type": "response.output_item.added", "output_index": index, "item": {**item, "status": "in_progress"}}
    for position, part in enumerate(item.get("content") or []):
        where = {**place, "content_index": position}
        if part["type"] == "output_text":
            for piece in _pieces(part["text"]):
                yield {"type": "response.output_text.delta", **where, "delta": piece, "logprobs": []}
            yield {"type": "response.output_text.done", **where, "text": part["text"], "logprobs": []}
        elif part["type"] == "refusal":
            yield {"type": "response.refusal.delta", **where, "delta": part["refusal"]}
    if item["type"] == "function_call":
        for piece in _pieces(item["arguments"]):
            yield {"type": "response.function_call_arguments.delta", **place, "delta": piece}
        yield {"type": "response.function_call_arguments.done", **place, "arguments": item["arguments"]}
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _message_deltas(answer: Json) -> Iterator[Json]:
    for piece in _pieces(answer["content"] or ""):
        yield {"content": piece}
    for piece in _pieces(answer["refusal"] or ""):
        yield {"refusal": piece}
    for index, call in enumerate(answer.get("tool_calls", [])):
        first = {"name": call["function"]["name"], "arguments": ""}
        yield {"tool_calls": [{"index": index, "id": call["id"], "type": "function", "function": first}]}
        for piece in _pieces(call["function"]["arguments"]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _pieces(text: str, size: int = 4) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]
