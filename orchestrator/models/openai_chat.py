"""The model behind Chat Completions, which vLLM, Ollama, LM Studio, llama.cpp and many others speak."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import Any

from orchestrator.errors import UserError
from orchestrator.models.base import ModelReply, ModelRequest, OnDelta
from orchestrator.models.chat_items import (
    from_message,
    read_chat_usage,
    to_messages,
    to_response_format,
    to_tool_choice,
    to_tools,
)
from orchestrator.models.chat_stream import StreamedCompletion
from orchestrator.models.openai_client import Server
from orchestrator.models.openai_errors import invalid_reply
from orchestrator.models.openai_headers import Heard

PATH = "/chat/completions"
Json = dict[str, Any]


class OpenAIChat:
    """A model called by `POST /chat/completions`.

    Without a name it is the first model that the server lists, asked for at the first call.
    """

    def __init__(self, name: str | None, server: Server) -> None:
        self._name = name
        self._server = server

    @property
    def name(self) -> str:
        return self._name or f"first model of {self._server.host}"

    async def respond(self, request: ModelRequest, *, on_delta: OnDelta | None = None) -> ModelReply:
        model = self._name = self._name or await self._server.first_model()
        body, heard = build_chat_body(request, model), Heard()
        if on_delta or request.settings.stream:
            completion = await self._stream(body, request, model, heard, on_delta)
        else:
            completion = await self._server.post(PATH, body, request.settings, model=model, heard=heard)
        return replace(self._read(completion, model), pause_seconds=heard.pause_seconds)

    async def _stream(
        self, body: Json, request: ModelRequest, model: str, heard: Heard, on_delta: OnDelta | None
    ) -> Json:
        if request.settings.include_usage is not False:
            body = {"stream_options": {"include_usage": True}, **body}
        streamed = StreamedCompletion()
        async with aclosing(self._server.stream(PATH, body, request.settings, model=model, heard=heard)) as chunks:
            async for chunk in chunks:
                text = streamed.add(chunk)
                if text and on_delta:
                    on_delta(text)
        if streamed.is_empty:
            raise invalid_reply(
                model, self._server.host, "ended its stream without a choice, after", streamed.completion()
            )
        return streamed.completion()

    def _read(self, completion: Json, model: str) -> ModelReply:
        try:
            choice = completion["choices"][0]
            items = from_message(choice["message"], choice.get("finish_reason"))
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            host = self._server.host
            raise invalid_reply(model, host, "answered something that is no chat completion", completion) from error
        return ModelReply(
            items=items,
            usage=read_chat_usage(completion.get("usage") or {}),
            model=str(completion.get("model") or model),
            response_id=completion.get("id"),
        )


def build_chat_body(request: ModelRequest, model: str) -> Json:
    """The body of `POST /chat/completions`. What nobody set is left out, so that the server decides."""
    _check(request)
    settings = request.settings
    # DeepSeek's thinking models reject a conversation whose calls lack the thoughts that led to them.
    messages = to_messages(request.input, instructions=request.instructions, echo_reasoning="deepseek" in model.lower())
    body = {
        "model": model,
        "messages": messages,
        "tools": to_tools(request.functions) or None,
        "tool_choice": to_tool_choice(settings.tool_choice),
        "parallel_tool_calls": settings.parallel_tool_calls if request.functions else None,
        "response_format": to_response_format(request.output_format),
        "reasoning_effort": (settings.reasoning or {}).get("effort"),
        "logprobs": True if settings.top_logprobs is not None else None,
        **settings.model_dump(include=_SAME_NAME),
    }
    sent = {name: value for name, value in body.items() if value is not None}
    return {**sent, **(settings.extra_args or {}), **(settings.extra_body or {})}


_SAME_NAME = {
    "frequency_penalty",
    "max_tokens",
    "metadata",
    "presence_penalty",
    "prompt_cache_retention",
    "store",
    "temperature",
    "top_logprobs",
    "top_p",
    "verbosity",
}
"""Settings that the API knows by the same name."""


def _check(request: ModelRequest) -> None:
    if request.hosted_tools:
        kinds = ", ".join(f"`{tool.get('type')}`" for tool in request.hosted_tools)
        raise UserError(
            f"Agent `{request.agent}` has tools that only the Responses API hosts: {kinds}. "
            "Use a model of that API (`responses/<name>`), or other tools."
        )
    if request.prompt:
        raise UserError(
            f"Agent `{request.agent}` has a prompt template, which only the Responses API knows. "
            "Use a model of that API (`responses/<name>`), or `instructions`."
        )
