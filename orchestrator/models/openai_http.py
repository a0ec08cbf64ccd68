"""Sends model calls by a short way: what the openai client builds anew for each request is built once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx2
import openai
from openai import AsyncOpenAI, AsyncStream, DefaultAsyncHttpxClient
from pydantic_core import to_json

from orchestrator.model_settings import ModelSettings
from orchestrator.models.connections import Answer, Connections, Limits

CONNECT_SECONDS = 5.0
"""A server that is there accepts a connection quickly, however long its model then thinks."""

_STATUS_ERRORS: dict[int, type[openai.APIStatusError]] = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    409: openai.ConflictError,
    422: openai.UnprocessableEntityError,
    429: openai.RateLimitError,
}

_ABOUT_CONTENT = frozenset({"content-encoding", "content-length", "transfer-encoding"})
"""Headers that were true of the content before it was decompressed."""


class OpenAIHttp:
    """One server's openai client on one event loop, and the connections under it.

    A request through the openai client and its HTTP client costs 0.8 ms of CPU more than the same request over
    the connections, whatever the model. So its URL and headers are asked for once (base URL, key, organization,
    project, platform), and its errors are raised as it raises them. Its retries are the caller's to make.
    """

    def __init__(self, base_url: str, api_key: str, timeout_seconds: float, max_retries: int) -> None:
        timeout = _timeout(timeout_seconds)
        self._connections = Connections(base_url)
        self._http = DefaultAsyncHttpxClient(timeout=timeout, transport=self._connections)
        self.client = AsyncOpenAI(
            base_url=base_url, api_key=api_key, timeout=timeout, max_retries=max_retries, http_client=self._http
        )
        self._limits: Limits = timeout.as_dict()
        headers = httpx2.Headers({"Accept-Encoding": "gzip, deflate"})
        headers.update(self.client.auth_headers)
        # The client marks headers that it leaves out by a value of a class of its own.
        headers.update({name: value for name, value in self.client.default_headers.items() if isinstance(value, str)})
        self._headers = dict(headers)
        self._urls: dict[str, str] = {}

    async def post(self, path: str, body: Mapping[str, Any], settings: ModelSettings) -> Answer:
        """The server's answer. Raises what the openai client would."""
        url, headers, limits = self._address(path, settings)
        with _openai_errors(url):
            answer = await self._connections.post(url, to_json(body), headers=headers, limits=limits)
        if answer.status >= 300:
            raise _status_error(url, answer.status, answer.headers, answer.content)
        return answer

    async def stream(self, path: str, body: Mapping[str, Any], settings: ModelSettings) -> AsyncStream[object]:
        """The events of the server's answer, parsed as they come. Raises what the openai client would."""
        url, headers, limits = self._address(path, settings)
        content, extensions = to_json({**body, "stream": True}), {"timeout": limits}
        request = httpx2.Request("POST", url, headers=headers, content=content, extensions=extensions)
        with _openai_errors(url):
            response = await self._http.send(request, stream=True)
            if not response.is_success:
                raise _status_error(url, response.status_code, response.headers, await response.aread())
        return AsyncStream(cast_to=object, response=response, client=self.client)

    async def close(self) -> None:
        """Closes the connections."""
        await self.client.close()

    def _address(self, path: str, settings: ModelSettings) -> tuple[str, Mapping[str, str], Limits]:
        url, headers, limits = self._url(path), self._headers, self._limits
        if settings.extra_query:
            url = f"{url}?{self.client.qs.stringify(settings.extra_query)}"
        if settings.extra_headers:
            merged = httpx2.Headers(headers)
            merged.update(settings.extra_headers)
            headers = dict(merged)
        if settings.timeout is not None:
            limits = _timeout(settings.timeout).as_dict()
        return url, headers, limits

    def _url(self, path: str) -> str:
        if path not in self._urls:
            self._urls[path] = str(self.client.base_url) + path.lstrip("/")
        return self._urls[path]


@contextmanager
def _openai_errors(url: str) -> Iterator[None]:
    """The HTTP client's errors as the openai client raises them."""
    try:
        yield
    except httpx2.TimeoutException as error:
        raise openai.APITimeoutError(request=httpx2.Request("POST", url)) from error
    except httpx2.RequestError as error:
        raise openai.APIConnectionError(request=httpx2.Request("POST", url)) from error


def _status_error(url: str, status: int, headers: Mapping[str, str], content: bytes) -> openai.APIStatusError:
    kind = openai.InternalServerError if status >= 500 else _STATUS_ERRORS.get(status, openai.APIStatusError)
    known = {name: value for name, value in headers.items() if name.lower() not in _ABOUT_CONTENT}
    response = httpx2.Response(status, headers=known, content=content, request=httpx2.Request("POST", url))
    try:
        body = response.json()
    except ValueError:
        body = response.text
    found = body.get("error", body) if isinstance(body, dict) else body
    return kind(f"Error code: {status}", response=response, body=found)


def _timeout(seconds: float) -> httpx2.Timeout:
    return httpx2.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS))
