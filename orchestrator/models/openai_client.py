"""Calls a server that speaks OpenAI's HTTP API: requests as plain JSON, replies as plain JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import openai
from httpx2 import Response
from openai import AsyncOpenAI, AsyncStream, DefaultAsyncHttpxClient, Timeout

from orchestrator.errors import ModelRequestRejected
from orchestrator.loop import background
from orchestrator.model_settings import ModelSettings
from orchestrator.models.connections import Connections
from orchestrator.models.openai_errors import invalid_reply, translate_error
from orchestrator.models.openai_headers import Heard
from orchestrator.settings import Settings

OPENAI_URL = "https://api.openai.com/v1"
PLACEHOLDER_KEY = "none"
"""Sent to servers that want no key: the openai client insists on one."""

CONNECT_SECONDS = 5.0
"""A server that is there accepts a connection quickly, however long its model then thinks."""

EXPLAIN_SECONDS = 5.0
"""How long an error's message may wait for the list of models that makes it helpful."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Server:
    """Where a model is served, and how patiently it is called. Equal servers share their connections."""

    base_url: str = OPENAI_URL
    api_key: str = field(default=PLACEHOLDER_KEY, repr=False)
    timeout_seconds: float = 600.0
    max_retries: int = 2

    @classmethod
    def from_settings(cls, settings: Settings) -> Server:
        return cls(
            base_url=settings.openai_base_url or OPENAI_URL,
            api_key=settings.openai_api_key or PLACEHOLDER_KEY,
            timeout_seconds=settings.model_timeout_seconds,
            max_retries=0,  # a run waits for the next attempt parked, not in a worker: see model_retry.py
        )

    @property
    def host(self) -> str:
        """Host and port, for messages: a URL may carry credentials."""
        parts = urlsplit(self.base_url)
        return f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname or self.base_url

    async def post(
        self, path: str, body: Mapping[str, Any], settings: ModelSettings, *, model: str, heard: Heard
    ) -> Json:
        """The JSON object that the server answers with. The client's own retries come before any error."""
        try:
            response = await self._client().post(path, body=body, cast_to=Response, options=_request_options(settings))
        except openai.OpenAIError as error:
            raise await self._explain(error, model, path) from error
        heard.take(response.headers)
        return self._parse(response.text, model)

    async def stream(
        self, path: str, body: Mapping[str, Any], settings: ModelSettings, *, model: str, heard: Heard
    ) -> AsyncGenerator[Json, None]:
        """The events of a streamed reply. Nothing is retried once the first byte of the reply has come."""
        try:
            events = await self._client().post(
                path,
                body={**body, "stream": True},
                cast_to=object,
                options=_request_options(settings),
                stream=True,
                stream_cls=AsyncStream[object],
            )
            heard.take(events.response.headers)
            async with events:
                async for event in events:
                    if not isinstance(event, dict):
                        raise invalid_reply(model, self.host, "streamed something that is no JSON object", event)
                    yield event
        except openai.OpenAIError as error:
            raise await self._explain(error, model, path) from error
        except json.JSONDecodeError as error:
            raise invalid_reply(model, self.host, "streamed something that is no JSON", error.doc) from error

    async def list_models(self) -> list[str]:
        """The names of the models that the server offers."""
        try:
            text = await self._client().get("/models", cast_to=str)
        except openai.OpenAIError as error:
            raise translate_error(error, model="(any)", host=self.host, path="/models") from error
        entries = self._parse(text, "(any)").get("data") or []
        return [str(entry["id"]) for entry in entries if isinstance(entry, dict) and entry.get("id")]

    async def first_model(self) -> str:
        """The model that a server with one model has."""
        models = await self.list_models()
        if not models:
            raise ModelRequestRejected(f"{self.host} offers no model. Load one there, or set ORCHESTRATOR_MODEL.")
        return models[0]

    def _parse(self, text: str, model: str) -> Json:
        try:
            parsed = json.loads(text)
        except ValueError as error:
            raise invalid_reply(model, self.host, "answered something that is no JSON", text) from error
        if not isinstance(parsed, dict):
            raise invalid_reply(model, self.host, "answered something that is no JSON object", text)
        return parsed

    async def _explain(self, error: openai.OpenAIError, model: str, path: str) -> Exception:
        models: list[str] = []
        if isinstance(error, openai.NotFoundError):
            try:
                async with asyncio.timeout(EXPLAIN_SECONDS):
                    models = await self.list_models()
            except Exception:
                models = []  # the 404 is the news; a server without /models only gets a shorter message
        return translate_error(error, model=model, host=self.host, path=path, models=models)

    def _client(self) -> AsyncOpenAI:
        """The client of this server on the running loop: connections cannot move between loops."""
        clients = _clients.setdefault(asyncio.get_running_loop(), {})
        client = clients.get(self)
        if client is None:
            timeout = _timeout(self.timeout_seconds)
            client = clients[self] = AsyncOpenAI(
                base_url=self.base_url,
                api_key=self.api_key,
                timeout=timeout,
                max_retries=self.max_retries,
                http_client=DefaultAsyncHttpxClient(timeout=timeout, transport=Connections(self.base_url)),
            )
        return client


_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Server, AsyncOpenAI]] = WeakKeyDictionary()


async def close_clients() -> None:
    """Closes the connections of the running loop. Call it before the loop ends; later calls open new ones."""
    clients = _clients.pop(asyncio.get_running_loop(), {})
    for client in clients.values():
        await client.close()


background.on_close(close_clients)


def _request_options(settings: ModelSettings) -> Any:
    options: Json = {}
    if settings.extra_headers:
        options["headers"] = settings.extra_headers
    if settings.extra_query:
        options["params"] = settings.extra_query
    if settings.timeout is not None:
        options["timeout"] = _timeout(settings.timeout)
    return options


def _timeout(seconds: float) -> Timeout:
    return Timeout(seconds, connect=min(seconds, CONNECT_SECONDS))
