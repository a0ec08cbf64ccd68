"""Carries HTTP requests over aiohttp; one that meets a connection just closed goes at once over another."""

from __future__ import annotations

import asyncio
import select
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx2
from aiohttp.abc import AbstractStreamWriter

MAX_CONNECTIONS = 10_000
"""How many calls a worker makes at once, its concurrency says."""

KEEPALIVE_SECONDS = 4.0
"""Less than the 5 s after which uvicorn and Node close: whoever is first finds no request under way."""

REPEATS = 3
"""How many connections may turn out closed before a request counts as failed. Many may have idled side by side."""

_HUNG_UP = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR


Limits = Mapping[str, float | None]
"""How many seconds parts of a call may take: `connect`, `read`, and `pool` for a connection to become free."""


@dataclass(frozen=True)
class Answer:
    """What came back. The content is decompressed; header names count in any case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Connections(httpx2.AsyncBaseTransport):
    """The connections to one server, or to the proxy that the environment names for it.

    A request of which certainly no byte was sent is repeated. One that the server may have read is not: it may
    not have been in vain, and who repeats a model call pays twice (RFC 9110, 9.2.2).
    """

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, body: bytes, *, headers: Mapping[str, str], limits: Limits) -> Answer:
        """Post a body and read the answer. This spares a model call httpx's own layers, half of its CPU."""
        with _translated_errors():
            response = await self._request("POST", url, headers, _Body(body), limits)
            async with response:
                return Answer(response.status, response.headers, await response.read())

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body = _Body(content) if (content := await request.aread()) else None
        limits = request.extensions.get("timeout", {})
        with _translated_errors():
            response = await self._request(
                request.method, str(request.url), request.headers, body, limits, for_httpx=True
            )
        return httpx2.Response(
            response.status,
            headers=list(response.raw_headers),
            stream=_ResponseBody(response),
            request=request,
            extensions={"http_version": b"HTTP/1.1", "reason_phrase": (response.reason or "").encode()},
        )

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: _Body | None,
        limits: Limits,
        *,
        for_httpx: bool = False,
    ) -> aiohttp.ClientResponse:
        """The head of the answer. httpx follows redirects and decompresses by itself."""
        timeout = aiohttp.ClientTimeout(
            connect=limits.get("pool"), sock_connect=limits.get("connect"), sock_read=limits.get("read")
        )
        repeats = 0
        while True:
            try:
                return await self._open().request(
                    method,
                    url,
                    headers=headers,
                    data=body,
                    timeout=timeout,
                    allow_redirects=not for_httpx,
                    auto_decompress=not for_httpx,
                )
            except aiohttp.ClientConnectionError as error:
                if body is None or not _was_in_vain(error, body) or repeats == REPEATS:
                    raise
            repeats += 1
            await asyncio.sleep(0)  # lets the loop hear of other connections that were closed

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=MAX_CONNECTIONS, keepalive_timeout=KEEPALIVE_SECONDS, ssl=httpx2.create_ssl_context()
                ),
                proxy=find_proxy(self._base_url),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


def find_proxy(url: str) -> str | None:
    """The proxy that HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY name for a URL."""
    parts = urlsplit(url)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


class _Body(aiohttp.BytesPayload):
    """A request's body. aiohttp holds the head back until it writes this: before, nothing of the request is sent."""

    was_sent = False

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        transport = writer.transport
        if transport is None or transport.is_closing() or _has_hung_up(transport):
            raise ConnectionResetError("the server had closed the connection")
        self.was_sent = True
        await super().write_with_length(writer, content_length)


def _has_hung_up(transport: asyncio.BaseTransport) -> bool:
    """Whether the other side has closed, also where the event loop has not heard of it yet."""
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), _HUNG_UP)
    return bool(poll.poll(0))


def _was_in_vain(error: aiohttp.ClientConnectionError, body: _Body) -> bool:
    """Whether there was a connection, and it was closed before anything was sent."""
    is_unreachable = isinstance(error, aiohttp.ClientConnectorError | aiohttp.ServerTimeoutError)
    return not body.was_sent and not is_unreachable


class _ResponseBody(httpx2.AsyncByteStream):
    """A reply's body as it comes in."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _translated_errors():
            async for chunk in self._response.content.iter_any():
                yield chunk

    async def aclose(self) -> None:
        # Gives the connection back if the reply was read to its end, and closes it if not.
        self._response.release()


@contextmanager
def _translated_errors() -> Iterator[None]:
    """aiohttp's errors as those that the openai client knows."""
    try:
        yield
    except TimeoutError as error:
        raise httpx2.TimeoutException(str(error)) from error
    except aiohttp.ClientError as error:
        raise httpx2.NetworkError(str(error)) from error
