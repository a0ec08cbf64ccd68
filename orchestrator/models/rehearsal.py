"""The offline model: it plays what the agent's script says, and is labelled `rehearsal` wherever it answers."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from orchestrator.errors import ModelRequestRejected, UserError
from orchestrator.models.base import Item, ModelReply, ModelRequest, OnDelta
from orchestrator.usage import Usage

NAME = "rehearsal"

CHARACTERS_PER_TOKEN = 4
"""A rule of thumb for English; the usage of a rehearsal is an estimate."""


@dataclass(frozen=True)
class Say:
    """The script's answer: the model's message."""

    text: str


@dataclass(frozen=True)
class Call:
    """The script's answer: one call of a tool or handoff."""

    tool: str
    arguments: Mapping[str, Any]


Script = Callable[["Rehearsal"], Say | Call | Sequence[Say | Call]]
"""Decides what the model answers, from what has happened so far. Equal conversations must give equal answers."""


def say(value: str | BaseModel | Mapping[str, Any] | Sequence[Any]) -> Say:
    """The model answers with this text, or with this value as JSON."""
    if isinstance(value, str):
        return Say(value)
    return Say(value.model_dump_json() if isinstance(value, BaseModel) else json.dumps(value, ensure_ascii=False))


def call(tool: str, /, **arguments: Any) -> Call:
    """The model calls a tool. A handoff to agent `billing` is `call("transfer_to_billing")`."""
    return Call(tool, arguments)


class Rehearsal:
    """What a script sees of the conversation."""

    def __init__(self, request: ModelRequest) -> None:
        self.agent = request.agent
        self.instructions = request.instructions
        self.input: Sequence[Item] = tuple(request.input)
        self.tools = tuple(tool.name for tool in request.functions)
        """Names of the tools and handoffs that may be called now."""

    @property
    def user_text(self) -> str:
        """The last message of the user."""
        asked = self._last_user_index()
        return _text_of(self.input[asked].get("content")) if asked is not None else ""

    @property
    def outputs(self) -> dict[str, str]:
        """What tools have returned since that message, by the tool's name. Called twice: the later output."""
        names = {item.get("call_id"): item["name"] for item in self._recent() if item.get("type") == "function_call"}
        return {
            names[item["call_id"]]: _text_of(item.get("output"))
            for item in self._recent()
            if item.get("type") == "function_call_output" and item.get("call_id") in names
        }

    def called(self, tool: str) -> bool:
        """Whether the tool was called since the user's last message."""
        return any(item.get("type") == "function_call" and item["name"] == tool for item in self._recent())

    def _recent(self) -> Sequence[Item]:
        asked = self._last_user_index()
        return self.input if asked is None else self.input[asked + 1 :]

    def _last_user_index(self) -> int | None:
        users = [index for index, item in enumerate(self.input) if item.get("role") == "user"]
        return users[-1] if users else None


class RehearsalModel:
    """Plays one agent's script. The same conversation always gets the same reply, call ids included."""

    name = NAME

    def __init__(self, script: Script | None = None, *, latency_seconds: float = 0.3) -> None:
        self._script = script
        self._latency_seconds = latency_seconds

    async def respond(self, request: ModelRequest, *, on_delta: OnDelta | None = None) -> ModelReply:
        answers = self._play(request)
        texts = [answer.text for answer in answers if isinstance(answer, Say)]
        await self._pretend("\n".join(texts), on_delta)
        seed = json.dumps([request.agent, *request.input], sort_keys=True, default=str)
        digest = hashlib.sha256(seed.encode()).hexdigest()[:16]
        items = [_item(answer, f"call_{digest}_{index}") for index, answer in enumerate(answers)]
        return ModelReply(items=items, usage=_estimate(request, items), model=NAME, response_id=f"{NAME}_{digest}")

    def _play(self, request: ModelRequest) -> list[Say | Call]:
        if self._script is None:
            return [Say(_explain_silence(request))]
        played = self._script(Rehearsal(request))
        answers = [played] if isinstance(played, Say | Call) else list(played or [])
        if not answers or not all(isinstance(answer, Say | Call) for answer in answers):
            raise UserError(
                f"The rehearsal script of agent `{request.agent}` returned {played!r}. "
                "Return `say(…)`, `call(…)` or a list of them."
            )
        return answers

    async def _pretend(self, text: str, on_delta: OnDelta | None) -> None:
        """Thinks, then writes word by word if somebody reads along."""
        if on_delta is None or not text:
            await asyncio.sleep(self._latency_seconds)
            return
        await asyncio.sleep(self._latency_seconds / 2)
        words = re.findall(r"\s*\S+\s*$|\s*\S+", text) or [text]
        for word in words:
            await asyncio.sleep(self._latency_seconds / 2 / len(words))
            on_delta(word)


def _explain_silence(request: ModelRequest) -> str:
    text = (
        f"This is the offline rehearsal model, and agent `{request.agent}` has no script for it "
        "(`Agent(rehearsal=…)`). Set OPENAI_API_KEY, or OPENAI_BASE_URL, to have a real model answer."
    )
    if request.output_format:
        raise ModelRequestRejected(text, model=NAME)  # the text would only be reported as invalid output
    return text


def _item(answer: Say | Call, call_id: str) -> Item:
    if isinstance(answer, Call):
        arguments = json.dumps(dict(answer.arguments), ensure_ascii=False)
        return {"type": "function_call", "call_id": call_id, "name": answer.tool, "arguments": arguments}
    content = [{"type": "output_text", "text": answer.text, "annotations": []}]
    return {"type": "message", "role": "assistant", "status": "completed", "content": content}


def _estimate(request: ModelRequest, items: Sequence[Item]) -> Usage:
    read = len(request.instructions or "") + len(json.dumps(list(request.input), default=str))
    written = len(json.dumps(items))
    input_tokens, output_tokens = read // CHARACTERS_PER_TOKEN, written // CHARACTERS_PER_TOKEN
    total = input_tokens + output_tokens
    return Usage(requests=1, input_tokens=input_tokens, output_tokens=output_tokens, total_tokens=total)


def _text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(str(part.get("text") or "") for part in content or [])
