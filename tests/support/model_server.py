"""A real OpenAI-compatible HTTP server on the loopback, whose replies a test scripts.

    with ModelServer() as server:
        server.add([tool_call("weather", {"city": "Paris"})], [message("Sunny.")])
        ...                                            # point OPENAI_BASE_URL at server.url
        assert server.bodies[1]["input"][-1]["type"] == "function_call_output"

Replies come from the queue (`add`), else from `handler(request body, path)`, so that a test with
many callers can choose by content. A list of Responses items is sent in the shape of whichever API
was called, plain or streamed; a `Reply` controls status, headers, delay, garbage and broken lines.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tests.support import model_wire as wire
from tests.support.model_wire import Json, message, refusal, tool_call, usage
from tests.support.stack import PATIENCE_SECONDS

__all__ = ["ModelServer", "RecordedRequest", "Reply", "error", "message", "refusal", "tool_call", "usage"]


@dataclass(frozen=True)
class Reply:
    """One answer: `items` in the shape of the API that is called, or `body` as it is."""

    items: Sequence[Json] = ()
    usage: Json = field(default_factory=usage)
    changes: Json = field(default_factory=dict)
    """Laid over the response object: `{"status": "incomplete", …}`."""
    body: Any = None
    """Sent instead of items: text and bytes untouched, anything else as JSON."""
    events: Sequence[Json | str] | None = None
    """Sent as server-sent events, instead of those made of the items."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0
    drop: Literal["before", "middle"] | None = None
    """Cut the connection before the head, or in the middle of the body."""


Scripted = Reply | Sequence[Json]
Handler = Callable[[Json, str], Scripted]


@dataclass
class RecordedRequest:
    """What a client sent, and when. `was_cut`: it hung up before the reply."""

    method: str
    path: str
    body: Json
    headers: Mapping[str, str]
    query: Mapping[str, str]
    time: float
    port: int
    """The client's, which tells its connections apart."""
    was_cut: bool = False


def error(status: int, text: str = "no", *, headers: Mapping[str, str] | None = None, **fields: Any) -> Reply:
    """An error in OpenAI's shape."""
    return Reply(status=status, headers=headers or {}, body={"error": {"message": text, "type": "test", **fields}})


class ModelServer:
    """The server. Start it as a context manager; it runs in a thread on a free port."""

    def __init__(self, *, handler: Handler | None = None, models: Sequence[str] = ("test-model",)) -> None:
        self.handler = handler
        self.models = list(models)
        self.requests: list[RecordedRequest] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self._queue: deque[Scripted] = deque()
        self._lock = threading.Lock()
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            self._app, interface="asgi3", lifespan="off", log_level="critical", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)
        self._routes = Starlette(
            routes=[
                Route("/v1/responses", self._answer, methods=["POST"]),
                Route("/v1/chat/completions", self._answer, methods=["POST"]),
                Route("/v1/models", self._list_models, methods=["GET"]),
            ]
        )

    @property
    def url(self) -> str:
        """The value for `OPENAI_BASE_URL`."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"

    @property
    def bodies(self) -> list[Json]:
        """The bodies of all model calls so far, in the order of their arrival."""
        return [request.body for request in self.requests if request.method == "POST"]

    def add(self, *replies: Scripted) -> None:
        """Put replies at the end of the queue."""
        self._queue.extend(replies)

    def reset(self) -> None:
        """Forget script and requests, so that the next test can use this server."""
        self.handler = None
        self.models = ["test-model"]
        self._queue.clear()
        self.requests.clear()
        self.most_in_flight = 0

    def wait_for_requests(self, count: int, *, timeout_seconds: float = PATIENCE_SECONDS) -> list[RecordedRequest]:
        """Blocks until `count` requests have arrived."""
        deadline = time.monotonic() + timeout_seconds
        while len(self.requests) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(self.requests)} of {count} requests arrived in {timeout_seconds} s")
            time.sleep(0.01)
        return self.requests

    def hang_up(self, *, timeout_seconds: float = PATIENCE_SECONDS) -> None:
        """Close every connection, as a server does that restarts or finds them idle. Blocks until it is done."""
        connections = self._server.server_state.connections
        for connection in list(connections):
            connection.loop.call_soon_threadsafe(connection.transport.close)
        deadline = time.monotonic() + timeout_seconds
        while connections:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(connections)} connections were open after {timeout_seconds} s")
            time.sleep(0.005)

    def __enter__(self) -> ModelServer:
        self._thread.start()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._server.started:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the model server did not start within {PATIENCE_SECONDS:g} s")
            time.sleep(0.005)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=PATIENCE_SECONDS)
        self._socket.close()

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        # uvicorn hands out a bound method of the connection: the only way to its transport.
        scope["hang_up"] = send.__self__.transport.abort  # type: ignore[attr-defined]
        await self._routes(scope, receive, send)

    async def _list_models(self, request: Request) -> Response:
        self._record(request, {})
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "test"} for name in self.models]
        return JSONResponse({"object": "list", "data": data})

    async def _answer(self, request: Request) -> Response:
        body = await request.json()
        record = self._record(request, body)
        with self._lock:
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            reply = await self._choose(body, request.url.path)
            await self._sleep(reply.delay_seconds, request, record)
        finally:
            with self._lock:
                self.in_flight -= 1
        if reply.drop == "before":
            request.scope["hang_up"]()
        return self._render(reply, body, request)

    def _record(self, request: Request, body: Json) -> RecordedRequest:
        record = RecordedRequest(
            method=request.method,
            path=request.url.path.removeprefix("/v1"),
            body=body,
            headers=dict(request.headers),
            query=dict(request.query_params),
            time=time.monotonic(),
            port=request.client.port if request.client else 0,
        )
        with self._lock:
            self.requests.append(record)
        return record

    async def _choose(self, body: Json, path: str) -> Reply:
        with self._lock:
            scripted: Scripted | None = self._queue.popleft() if self._queue else None
        if scripted is None and self.handler is not None:
            scripted = self.handler(body, path.removeprefix("/v1"))
        if scripted is None:
            # 400, because clients try again after a 5xx and the test would only learn of it late.
            return error(400, f"the test's script has no reply for request {len(self.requests)}")
        return scripted if isinstance(scripted, Reply) else Reply(items=scripted)

    @staticmethod
    async def _sleep(seconds: float, request: Request, record: RecordedRequest) -> None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            await asyncio.sleep(min(left, 0.02))
            if await request.is_disconnected():
                record.was_cut = True
                return

    def _render(self, reply: Reply, body: Json, request: Request) -> Response:
        headers = dict(reply.headers)
        if reply.events is not None:
            lines = (event if isinstance(event, str) else _event(event) for event in reply.events)
            return StreamingResponse(_cut(lines, reply, request), headers=headers, media_type="text/event-stream")
        if isinstance(reply.body, str | bytes):
            return Response(reply.body, status_code=reply.status, headers=headers)
        if reply.body is not None:
            return JSONResponse(reply.body, status_code=reply.status, headers=headers)
        is_chat = request.url.path.endswith("/chat/completions")
        make = wire.chat_body if is_chat else wire.responses_body
        answer = make(body, reply.items, reply.usage, reply.changes)
        if not body.get("stream"):
            text = json.dumps(answer)
            if reply.drop != "middle":
                return Response(text, status_code=reply.status, headers=headers, media_type="application/json")
            halves = iter([text[: len(text) // 2], text[len(text) // 2 :]])
            return StreamingResponse(_cut(halves, reply, request), headers=headers, media_type="application/json")
        if is_chat:
            with_usage = bool((body.get("stream_options") or {}).get("include_usage"))
            chunks = (_event(chunk, named=False) for chunk in wire.chat_events(answer, with_usage=with_usage))
        else:
            chunks = (_event(event) for event in wire.responses_events(answer))
        return StreamingResponse(
            _cut(chunks, reply, request, end="data: [DONE]\n\n" if is_chat else ""),
            headers=headers,
            media_type="text/event-stream",
        )


def _event(event: Json, *, named: bool = True) -> str:
    head = f"event: {event['type']}\n" if named and "type" in event else ""
    return f"{head}data: {json.dumps(event)}\n\n"


async def _cut(chunks: Iterator[str], reply: Reply, request: Request, *, end: str = "") -> AsyncIterator[str]:
    """The chunks, up to the point where the script cuts the line."""
    for number, chunk in enumerate(chunks):
        yield chunk
        if reply.drop == "middle" and number == 0:
            await asyncio.sleep(0.02)
            request.scope["hang_up"]()
            return
    if end:
        yield end
