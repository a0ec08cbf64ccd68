"""Calls a server that speaks OpenAI's HTTP API: requests as plain JSON, replies as plain JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import openai
from httpx2 import Response

from orchestrator.errors import ModelRequestRejected, ModelUnavailable
from orchestrator.loop import background
from orchestrator.model_retry import retry_delay
from orchestrator.model_settings import ModelSettings
from orchestrator.models.openai_errors import invalid_reply, translate_error
from orchestrator.models.openai_headers import Heard
from orchestrator.models.openai_http import OpenAIHttp
from orchestrator.settings import Settings

OPENAI_URL = "https://api.openai.com/v1"
PLACEHOLDER_KEY = "none"
"""Sent to servers that want no key: the openai client insists on one."""

PATIENCE_SECONDS = 120.0
"""Who is asked to wait longer before a retry gets the error instead. The openai client's own limit."""

EXPLAIN_SECONDS = 5.0
"""How long an error's message may wait for the list of models that makes it helpful."""

Json = dict[str, Any]
Answered = TypeVar("Answered")


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
        """The JSON object that the server answers with. Retries come before any error."""
        answer = await self._patiently(lambda: self._http().post(path, body, settings), model, path)
        heard.take(answer.headers)
        return self._parse(answer.content, model)

    async def stream(
        self, path: str, body: Mapping[str, Any], settings: ModelSettings, *, model: str, heard: Heard
    ) -> AsyncGenerator[Json, None]:
        """The events of a streamed reply. Nothing is retried once the first byte of the reply has come."""
        events = await self._patiently(lambda: self._http().stream(path, body, settings), model, path)
        heard.take(events.response.headers)
        try:
            async with events:
                async for event in events:
                    yield self._check_event(event, model)
        except openai.OpenAIError as error:
            raise translate_error(error, model=model, host=self.host, path=path) from error
        except json.JSONDecodeError as error:
            raise invalid_reply(model, self.host, "streamed something that is no JSON", error.doc) from error

    async def list_models(self) -> list[str]:
        """The names of the models that the server offers."""
        try:
            response = await self._http().client.get("/models", cast_to=Response)
        except openai.OpenAIError as error:
            raise translate_error(error, model="(any)", host=self.host, path="/models") from error
        entries = self._parse(response.content, "(any)").get("data") or []
        return [str(entry["id"]) for entry in entries if isinstance(entry, dict) and entry.get("id")]

    async def first_model(self) -> str:
        """The model that a server with one model has."""
        models = await self.list_models()
        if not models:
            raise ModelRequestRejected(f"{self.host} offers no model. Load one there, or set ORCHESTRATOR_MODEL.")
        return models[0]

    async def _patiently(self, send: Callable[[], Awaitable[Answered]], model: str, path: str) -> Answered:
        """The server's answer, unless it is an error that will not pass, or all attempts are used up."""
        failed_calls = 0
        while True:
            try:
                return await send()
            except openai.OpenAIError as error:
                failure = await self._explain(error, model, path)
                delay = self._delay(failure, failed_calls)
                if delay is None:
                    raise failure from error
            failed_calls += 1
            await asyncio.sleep(delay)

    def _delay(self, failure: Exception, failed_calls: int) -> float | None:
        if not isinstance(failure, ModelUnavailable):
            return None
        delay = retry_delay(failure, failed_calls=failed_calls, max_retries=self.max_retries)
        return None if delay is None or delay > PATIENCE_SECONDS else delay

    def _check_event(self, event: object, model: str) -> Json:
        if not isinstance(event, dict):
            raise invalid_reply(model, self.host, "streamed something that is no JSON object", event)
        return event

    def _parse(self, content: bytes, model: str) -> Json:
        text = content.decode(errors="replace")
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

    def _http(self) -> OpenAIHttp:
        """The way to this server from the running loop: connections cannot move between loops."""
        opened = _opened.setdefault(asyncio.get_running_loop(), {})
        if self not in opened:
            opened[self] = OpenAIHttp(self.base_url, self.api_key, self.timeout_seconds, self.max_retries)
        return opened[self]


_opened: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Server, OpenAIHttp]] = WeakKeyDictionary()


async def close_clients() -> None:
    """Closes the connections of the running loop. Call it before the loop ends; later calls open new ones."""
    for http in _opened.pop(asyncio.get_running_loop(), {}).values():
        await http.close()


background.on_close(close_clients)
