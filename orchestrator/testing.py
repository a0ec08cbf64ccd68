"""For users' tests: a model that answers what the test tells it to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from orchestrator.errors import UserError
from orchestrator.models.base import Item, ModelReply, ModelRequest, OnDelta
from orchestrator.usage import Usage

ScriptedReply = str | Item | Sequence[Item] | ModelReply | BaseException
"""Text, an item, several items, a whole reply with its usage, or an error to raise."""


def text_message(content: str | BaseModel | Mapping[str, Any]) -> Item:
    """The model's message: text, or a value as JSON for agents with an `output_type`."""
    if isinstance(content, BaseModel):
        text = content.model_dump_json()
    else:
        text = content if isinstance(content, str) else json.dumps(content)
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"type": "message", "role": "assistant", "status": "completed", "content": [part]}


def refusal_message(refusal: str) -> Item:
    """The model refuses, in these words."""
    part = {"type": "refusal", "refusal": refusal}
    return {"type": "message", "role": "assistant", "status": "completed", "content": [part]}


def function_call(tool: str, arguments: Mapping[str, Any] | str | None = None, *, call_id: str | None = None) -> Item:
    """The model calls a tool or handoff. Without a `call_id`, the scripted model numbers the calls.

    `arguments` given as text are sent as they are, so that a test can break them.
    """
    text = arguments if isinstance(arguments, str) else json.dumps(dict(arguments or {}))
    item = {"type": "function_call", "name": tool, "arguments": text}
    return item if call_id is None else {**item, "call_id": call_id}


class ScriptedModel:
    """A model with replies written beforehand, given out in order. `requests` holds what it was asked.

        model = ScriptedModel([function_call("weather", {"city": "Paris"}), "It is sunny."])

    It works inside one process; against workers, use a server.
    """

    def __init__(self, replies: Iterable[ScriptedReply] = (), *, name: str = "scripted") -> None:
        self.name = name
        self.requests: list[ModelRequest] = []
        self._replies = list(replies)

    def add(self, *replies: ScriptedReply) -> None:
        """Put more replies at the end of the script."""
        self._replies.extend(replies)

    async def respond(self, request: ModelRequest, *, on_delta: OnDelta | None = None) -> ModelReply:
        self.requests.append(request)
        number = len(self.requests)
        if number > len(self._replies):
            raise UserError(
                f"ScriptedModel was asked {number} times, the last time by agent `{request.agent}`, "
                f"and its script has {len(self._replies)} replies. Add one, or find out why the agents go on."
            )
        scripted = self._replies[number - 1]
        if isinstance(scripted, BaseException):
            raise scripted
        reply = scripted if isinstance(scripted, ModelReply) else self._reply(scripted, number, request.agent)
        if on_delta:
            _stream(reply.items, on_delta)
        return reply

    def _reply(self, scripted: str | Item | Sequence[Item], number: int, agent: str) -> ModelReply:
        if isinstance(scripted, str):
            items = [text_message(scripted)]
        else:
            items = [scripted] if isinstance(scripted, dict) else list(scripted)
        numbered = [_with_call_id(item, f"call_{agent}_{number}_{index}") for index, item in enumerate(items, start=1)]
        return ModelReply(items=numbered, usage=Usage(requests=1), model=self.name)


def _with_call_id(item: Item, call_id: str) -> Item:
    return {"call_id": call_id, **item} if item.get("type") == "function_call" else dict(item)


def _stream(items: Sequence[Item], on_delta: OnDelta) -> None:
    for item in items:
        for part in item.get("content") or []:
            if part.get("type") == "output_text":
                on_delta(part["text"])
