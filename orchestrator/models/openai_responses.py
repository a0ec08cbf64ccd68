"""The model behind OpenAI's Responses API, whose items are the ones this library keeps."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from orchestrator.errors import ModelBehaviorError
from orchestrator.model_settings import ModelSettings
from orchestrator.models.base import Item, ModelReply, ModelRequest, OnDelta, ToolSpec
from orchestrator.models.openai_client import Server
from orchestrator.models.openai_errors import invalid_reply
from orchestrator.models.openai_headers import Heard
from orchestrator.usage import Usage

PATH = "/responses"
Json = dict[str, Any]

HOSTED_TOOLS = frozenset(
    {
        "code_interpreter",
        "computer_use_preview",
        "file_search",
        "image_generation",
        "mcp",
        "web_search",
        "web_search_preview",
    }
)
"""Names that `tool_choice` takes to mean the server's own tool."""


class OpenAIResponses:
    """A model called by `POST /responses`.

    Without a name it is the first model that the server lists, asked for at the first call. `is_default` says that
    the agent names no model: a request with a prompt template then leaves the choice to the template.
    """

    def __init__(self, name: str | None, server: Server, *, is_default: bool = False) -> None:
        self._name = name
        self._server = server
        self._is_default = is_default

    @property
    def name(self) -> str:
        return self._name or f"first model of {self._server.host}"

    async def respond(self, request: ModelRequest, *, on_delta: OnDelta | None = None) -> ModelReply:
        model = None
        if not (self._is_default and request.prompt):
            model = self._name = self._name or await self._server.first_model()
        body, heard = build_body(request, model), Heard()
        if on_delta or request.settings.stream:
            events = self._server.stream(PATH, body, request.settings, model=self.name, heard=heard)
            async with aclosing(events):
                response = await self._collect(events, on_delta)
        else:
            response = await self._server.post(PATH, body, request.settings, model=self.name, heard=heard)
        return replace(self._read(response), pause_seconds=heard.pause_seconds)

    async def _collect(self, events: AsyncIterator[Json], on_delta: OnDelta | None) -> Json:
        finished: list[Item] = []
        async for event in events:
            match event.get("type"):
                case "response.output_text.delta" if on_delta:
                    on_delta(str(event.get("delta") or ""))
                case "response.output_item.done":
                    finished.append(event["item"])
                case "response.completed" | "response.failed" | "response.incomplete":
                    response: Json = event["response"]
                    # Some servers send the items one by one and leave the last event's list empty.
                    return {**response, "output": response.get("output") or finished}
                case "error":
                    raise self._failed("error", event)
        raise invalid_reply(self.name, self._server.host, "ended its stream without a response, after", finished)

    def _read(self, response: Json) -> ModelReply:
        status = response.get("status")
        if status in ("failed", "incomplete"):
            raise self._failed(status, response.get("error") or response.get("incomplete_details") or {})
        output = response.get("output")
        if not isinstance(output, list) or not all(isinstance(item, dict) for item in output):
            raise invalid_reply(self.name, self._server.host, "answered something that is no response", response)
        return ModelReply(
            items=[clean_item(item) for item in output],
            usage=read_usage(response.get("usage") or {}),
            model=str(response.get("model") or self.name),
            response_id=response.get("id"),
        )

    def _failed(self, status: str, details: Mapping[str, Any]) -> ModelBehaviorError:
        code = details.get("code") or details.get("reason")
        said = details.get("message") or code or "no reason given"
        remedy = " Raise `max_tokens` in the model settings." if code == "max_output_tokens" else ""
        return ModelBehaviorError(
            f"Model `{self.name}` at {self._server.host} ended its reply as {status}: {said}.{remedy}",
            **{"model": self.name, "server": self._server.host, "response_status": status, "code": code},
        )


def build_body(request: ModelRequest, model: str | None) -> Json:
    """The body of `POST /responses`. What nobody set is left out, so that the server decides."""
    settings = request.settings
    tools = [function_tool(tool) if isinstance(tool, ToolSpec) else dict(tool) for tool in request.tools]
    body = {
        "model": model,
        "instructions": request.instructions,
        "input": [item for item in request.input if not is_foreign_reasoning(item)],
        "tools": tools or None,
        "tool_choice": tool_choice(settings.tool_choice, request.functions, request.hosted_tools),
        "parallel_tool_calls": settings.parallel_tool_calls if tools else None,
        "text": _text(request),
        "prompt": {name: value for name, value in (request.prompt or {}).items() if value is not None} or None,
        "include": _include(settings),
        "max_output_tokens": settings.max_tokens,
        **settings.model_dump(include=_SAME_NAME),
    }
    sent = {name: value for name, value in body.items() if value is not None}
    return {**sent, **(settings.extra_args or {}), **(settings.extra_body or {})}


_SAME_NAME = {
    "metadata",
    "prompt_cache_retention",
    "reasoning",
    "store",
    "temperature",
    "top_logprobs",
    "top_p",
    "truncation",
}
"""Settings that the API knows by the same name."""


def function_tool(tool: ToolSpec) -> Json:
    """A function as the Responses API takes it."""
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": tool.strict,
    }


def tool_choice(
    choice: str | None, tools: Sequence[ToolSpec], hosted_tools: Sequence[Mapping[str, Any]]
) -> str | Json | None:
    """`tool_choice` on the wire: a mode, one of the server's own tools, or a function."""
    if choice in (None, "auto", "required", "none"):
        return choice
    hosted = HOSTED_TOOLS | {str(tool.get("type")) for tool in hosted_tools}
    if choice in hosted and all(tool.name != choice for tool in tools):
        return {"type": choice}
    return {"type": "function", "name": choice}


def is_foreign_reasoning(item: Item) -> bool:
    """Whether this is reasoning that came by Chat Completions: it has no id, and the Responses API demands one."""
    return item.get("type") == "reasoning" and "id" not in item and item.get("encrypted_content") is None


def clean_item(item: Item) -> Item:
    """An output item as it is sent back as input: the API rejects some of what it sends itself."""
    dropped = {"created_by"} if item.get("status") is not None else {"created_by", "status"}
    return {name: value for name, value in item.items() if name not in dropped}


def read_usage(usage: Mapping[str, Any]) -> Usage:
    """Usage as the Responses API counts it; details are missing on some servers."""
    input_tokens, output_tokens = usage.get("input_tokens") or 0, usage.get("output_tokens") or 0
    return Usage(
        requests=1,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        total_tokens=usage.get("total_tokens") or input_tokens + output_tokens,
        cached_tokens=(usage.get("input_tokens_details") or {}).get("cached_tokens") or 0,
        reasoning_tokens=(usage.get("output_tokens_details") or {}).get("reasoning_tokens") or 0,
    )


def _text(request: ModelRequest) -> Json | None:
    text: Json = {}
    if request.output_format:
        text["format"] = {
            "type": "json_schema",
            "name": request.output_format.name,
            "schema": request.output_format.schema,
            "strict": request.output_format.strict,
        }
    if request.settings.verbosity:
        text["verbosity"] = request.settings.verbosity
    return text or None


def _include(settings: ModelSettings) -> list[str] | None:
    include = list(settings.response_include or [])
    # Asking for top log probabilities yields none unless the list asks for them too.
    if settings.top_logprobs is not None and "message.output_text.logprobs" not in include:
        include.append("message.output_text.logprobs")
    return include or None
