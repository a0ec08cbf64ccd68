"""Builds models that call a scripted server, and what to ask them."""

from __future__ import annotations

from typing import Any

from orchestrator.models.base import Item, Model, ModelRequest
from orchestrator.models.openai_chat import OpenAIChat
from orchestrator.models.openai_client import Server
from orchestrator.models.openai_responses import OpenAIResponses
from tests.support.model_server import ModelServer


def make(api: str, server: ModelServer | str, **changes: Any) -> Model:
    """A model of the API `responses` or `chat`, which tries once unless told otherwise."""
    url = server if isinstance(server, str) else server.url
    endpoint = Server(url, "sk-test", **{"max_retries": 0, **changes})
    return OpenAIResponses("m", endpoint) if api == "responses" else OpenAIChat("m", endpoint)


def ask(text: str = "hi", **changes: Any) -> ModelRequest:
    """A request with one message."""
    return ModelRequest(instructions="Be brief.", input=[{"role": "user", "content": text}], **changes)


def texts(items: list[Item]) -> list[str]:
    """The text of every message."""
    return [part["text"] for item in items if item["type"] == "message" for part in item["content"]]
