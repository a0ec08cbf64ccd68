"""Sends model calls by a short way: what the openai client builds anew for each request is built once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx2
import openai
from openai import AsyncOpenAI, AsyncStream, DefaultAsyncHttpxClient
from pydantic_core import to_json

from orchestrator.model_settings import ModelSettings
from orchestrator.models.connections import Connections

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


class OpenAIHttp:
    """One server's openai client on one event loop, and its HTTP client for model calls.

    A request through the openai client costs 0.6 ms of CPU more than the same request through its HTTP client,
    whatever the model. So its URL and headers are asked for once (base URL, key, organization, project, platform),
    and its errors are raised as it raises them. Its retries are the caller's to make.
    """

    def __init__(self, base_url: str, api_key: str, timeout_seconds: float, max_retries: int) -> None:
        timeout = _timeout(timeout_seconds)
        self._timeout = timeout.as_dict()
        self._http = DefaultAsyncHttpxClient(timeout=timeout, transport=Connections(base_url))
        self.client = AsyncOpenAI(
            base_url=base_url, api_key=api_key, timeout=timeout, max_retries=max_retries, http_client=self._http
        )
        self._headers = httpx2.Headers(self._http.headers)
        self._headers.update(self.client.auth_headers)
        # The client marks headers that it leaves out by a value of a class of its own.
        self._headers.update({n: value for n, value in self.client.default_headers.items() if isinstance(value, str)})
        self._urls: dict[str, httpx2.URL] = {}

    async def post(
        self, path: str, body: Mapping[str, Any], settings: ModelSettings, *, stream: bool = False
    ) -> httpx2.Response:
        """The server's answer, read to its end unless it is a stream. Raises what the openai client would."""
        request = self._build(path, body, settings)
        try:
            response = await self._http.send(request, stream=stream)
            if response.is_success:
                return response
            await response.aread()
        except httpx2.TimeoutException as error:
            raise openai.APITimeoutError(request=request) from error
        except httpx2.RequestError as error:
            raise openai.APIConnectionError(request=request) from error
        raise _status_error(response)

    def read_events(self, response: httpx2.Response) -> AsyncStream[object]:
        """The events of a streamed answer, parsed."""
        return AsyncStream(cast_to=object, response=response, client=self.client)

    async def close(self) -> None:
        """Closes the connections."""
        await self.client.close()

    def _build(self, path: str, body: Mapping[str, Any], settings: ModelSettings) -> httpx2.Request:
        url, headers, timeout = self._url(path), self._headers, self._timeout
        if settings.extra_query:
            url = url.copy_with(query=self.client.qs.stringify(settings.extra_query).encode())
        if settings.extra_headers:
            headers = httpx2.Headers(headers)
            headers.update(settings.extra_headers)
        if settings.timeout is not None:
            timeout = _timeout(settings.timeout).as_dict()
        return httpx2.Request("POST", url, headers=headers, content=to_json(body), extensions={"timeout": timeout})

    def _url(self, path: str) -> httpx2.URL:
        if path not in self._urls:
            base = self.client.base_url
            self._urls[path] = base.copy_with(raw_path=base.raw_path + path.lstrip("/").encode())
        return self._urls[path]


def _status_error(response: httpx2.Response) -> openai.APIStatusError:
    status = response.status_code
    kind = openai.InternalServerError if status >= 500 else _STATUS_ERRORS.get(status, openai.APIStatusError)
    try:
        body = response.json()
    except ValueError:
        body = response.text
    found = body.get("error", body) if isinstance(body, dict) else body
    return kind(f"Error code: {status}", response=response, body=found)


def _timeout(seconds: float) -> httpx2.Timeout:
    return httpx2.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS))
