"""Puts the chunks of a streamed Chat Completion together into the message that a plain reply would have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TEXT_FIELDS = ("content", "refusal", "reasoning", "reasoning_content")


class StreamedCompletion:
    """The completion so far. `add` takes a chunk and returns the text it brings for the reader."""

    def __init__(self) -> None:
        self.is_empty = True
        self._head: dict[str, Any] = {}
        self._usage: Mapping[str, Any] | None = None
        self._texts: dict[str, str] = {}
        self._calls: dict[int, dict[str, Any]] = {}
        self._finish_reason: str | None = None

    def add(self, chunk: Mapping[str, Any]) -> str:
        for name in ("id", "model"):
            if chunk.get(name):
                self._head[name] = chunk[name]
        # Some servers count in every chunk; the last count is the whole.
        self._usage = chunk.get("usage") or self._usage
        text = ""
        for choice in chunk.get("choices") or []:
            self.is_empty = False
            self._finish_reason = choice.get("finish_reason") or self._finish_reason
            text += self._add_delta(choice.get("delta") or {})
        return text

    def completion(self) -> dict[str, Any]:
        """What a plain reply's body would have been, as far as anybody reads it."""
        message: dict[str, Any] = dict(self._texts)
        if self._calls:
            message["tool_calls"] = [self._calls[index] for index in sorted(self._calls)]
        choice = {"message": message, "finish_reason": self._finish_reason}
        return {**self._head, "choices": [choice], "usage": self._usage}

    def _add_delta(self, delta: Mapping[str, Any]) -> str:
        for name in _TEXT_FIELDS:
            if isinstance(delta.get(name), str):
                self._texts[name] = self._texts.get(name, "") + delta[name]
        for call in delta.get("tool_calls") or []:
            self._add_call(call)
        return str(delta.get("content") or "")

    def _add_call(self, part: Mapping[str, Any]) -> None:
        # Servers that send whole calls may leave the index out, or repeat it: a new id is a new call.
        index = part.get("index")
        if index is None or (part.get("id") and index in self._calls and self._calls[index]["id"] != part["id"]):
            index = len(self._calls) if part.get("id") or not self._calls else max(self._calls)
        call = self._calls.setdefault(index, {"id": "", "function": {"name": "", "arguments": ""}})
        function = part.get("function") or {}
        call["id"] = part.get("id") or call["id"]
        call["function"]["name"] += function.get("name") or ""
        call["function"]["arguments"] += function.get("arguments") or ""
