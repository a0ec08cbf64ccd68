"""What the fake model answers: the script is chosen by the request's `model`, the place in it by the conversation."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

Json = dict[str, Any]

ANSWER = "Order A1 has shipped."

_MODEL = re.compile(rb'"model"\s*:\s*"([^"\\]+)"')
_MARK = re.compile(rb"mark-[0-9a-z-]+")
_OUTPUT = re.compile(rb'"type"\s*:\s*"function_call_output"')
_STREAM = re.compile(rb'"stream"\s*:\s*true')
_numbers = itertools.count(1)


def read_script(body: bytes) -> str:
    """The request's model, which names its script."""
    found = _MODEL.search(body)
    return found[1].decode() if found else ""


def read_mark(body: bytes) -> str:
    """The word in the conversation that tells runs apart, `mark-…`."""
    found = _MARK.search(body)
    return found[0].decode() if found else ""


def count_outputs(body: bytes) -> int:
    """How many calls of tools, handoffs included, the conversation has behind it: the place in the script."""
    return len(_OUTPUT.findall(body))


def is_streamed(body: bytes) -> bool:
    """Whether the reply is wanted as events."""
    return _STREAM.search(body) is not None


def choose_item(script: str, body: bytes) -> Json:
    """The one item of the reply. Searched for, not parsed: conversations are long, and this CPU is not the point.

    `triage`: hand over, look an order up, answer. `turns-N`: N tool calls, then an answer. Else: an answer at once.
    """
    settled = count_outputs(body)
    if script == "triage" and settled == 0:
        return _call("transfer_to_specialist", {})
    if script == "triage" and settled == 1:
        return _call("lookup_order", {"order_id": "A1"})
    if script.startswith("turns-") and settled < int(script.removeprefix("turns-")):
        return _call("lookup_order", {"order_id": f"A{settled}"})
    return _message(ANSWER)


def response(script: str, item: Json) -> Json:
    """The body of a response with one item."""
    return {
        "id": f"resp_{next(_numbers)}",
        "object": "response",
        "created_at": 1_760_000_000,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": script,
        "output": [item],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": {
            "input_tokens": 120,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 20,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 140,
        },
    }


def event_stream(body: Json) -> bytes:
    """The same response as server-sent events, its text in one piece."""
    item = body["output"][0]
    started = {**body, "status": "in_progress", "output": [], "usage": None}
    events: list[Json] = [
        {"type": "response.created", "response": started},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "status": "in_progress"}},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": body},
    ]
    if item["type"] == "message":
        place = {"item_id": item["id"], "output_index": 0, "content_index": 0, "logprobs": []}
        text = item["content"][0]["text"]
        events.insert(2, {"type": "response.output_text.delta", **place, "delta": text})
    numbered = ({**event, "sequence_number": number} for number, event in enumerate(events))
    return b"".join(b"event: %b\ndata: %b\n\n" % (event["type"].encode(), _dump(event)) for event in numbered)


def _dump(value: Json) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _call(name: str, arguments: Json) -> Json:
    number = next(_numbers)
    return {
        "type": "function_call",
        "id": f"fc_{number}",
        "call_id": f"call_{number}",
        "name": name,
        "arguments": json.dumps(arguments),
        "status": "completed",
    }


def _message(text: str) -> Json:
    return {
        "type": "message",
        "id": f"msg_{next(_numbers)}",
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}],
    }
