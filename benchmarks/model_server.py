"""A fake model server that costs little: `POST /v1/responses` over a bare protocol, with latency and faults to set.

`python -m benchmarks.model_server` prints its port. `POST /settings` takes `Behaviour`'s fields as JSON,
`GET /log` answers every call since the last `POST /reset`, and the most that were in flight at once.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks import model_replies as replies


@dataclass
class Behaviour:
    """How the server treats calls. Shares are probabilities."""

    latency_seconds: float = 0.0
    rate_limited_share: float = 0.0
    """Answered with 429."""
    failed_share: float = 0.0
    """Answered with 500."""
    dropped_share: float = 0.0
    """Never answered: the connection breaks."""
    fault_seed: int | None = None
    """Given: of so many calls, as many fail each time, and a call that is made again is answered. None: by chance."""


@dataclass
class Call:
    """One request for a reply, as the log has it. Times are seconds of `time.monotonic()`."""

    script: str
    mark: str
    began_at: float
    status: int = 0
    """HTTP status; 0 while in flight, and for ever if the connection broke."""
    ended_at: float | None = None


@dataclass
class FakeModel:
    """What all connections share."""

    behaviour: Behaviour = field(default_factory=Behaviour)
    log: list[Call] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    _chances: random.Random = field(default_factory=random.Random)
    _made: set[tuple[str, int]] = field(default_factory=set)
    """With a seed: the calls so far, as mark and place in the script."""

    def reset(self) -> None:
        """Forget the log, and begin the chances anew."""
        self.log, self.most_in_flight = [], self.in_flight
        self._chances, self._made = random.Random(self.behaviour.fault_seed), set()

    def choose_status(self, call: Call, body: bytes) -> int:
        """What becomes of a call; 0 for a broken connection."""
        if self.behaviour.fault_seed is not None:
            made = call.mark, replies.count_outputs(body)
            if made in self._made:
                return 200
            self._made.add(made)
        return self._draw_status()

    def _draw_status(self) -> int:
        behaviour, chance = self.behaviour, self._chances.random()
        for status, share in (
            (429, behaviour.rate_limited_share),
            (500, behaviour.failed_share),
            (0, behaviour.dropped_share),
        ):
            if chance < share:
                return status
            chance -= share
        return 200


class Connection(asyncio.Protocol):
    """One HTTP/1.1 connection with keep-alive: a request at a time, as clients send them."""

    def __init__(self, model: FakeModel) -> None:
        self._model = model
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._model.in_flight -= 1

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._received[:end])
        size = end + 4 + _content_length(head)
        if len(self._received) < size:
            return
        body = bytes(self._received[end + 4 : size])
        del self._received[:size]
        method, path, _ = head.split(b" ", 2)
        self._answer(method.decode(), path.decode(), body)

    def _answer(self, method: str, path: str, body: bytes) -> None:
        match method, path:
            case "POST", "/v1/responses":
                self._answer_later(body)
            case "POST", "/settings":
                self._model.behaviour = Behaviour(**json.loads(body))
                self._send(200, b"{}")
            case "POST", "/reset":
                self._model.reset()
                self._send(200, b"{}")
            case "GET", "/log":
                self._send(200, _dump_log(self._model))
            case _:
                self._send(404, b'{"error":{"message":"There is nothing here."}}')

    def _answer_later(self, body: bytes) -> None:
        model = self._model
        call = Call(replies.read_script(body), replies.read_mark(body), time.monotonic())
        model.log.append(call)
        model.in_flight += 1
        model.most_in_flight = max(model.most_in_flight, model.in_flight)
        latency = model.behaviour.latency_seconds
        if latency:
            self._timer = asyncio.get_running_loop().call_later(latency, self._reply, call, body)
        else:
            self._reply(call, body)

    def _reply(self, call: Call, body: bytes) -> None:
        self._timer = None
        self._model.in_flight -= 1
        call.status, call.ended_at = self._model.choose_status(call, body), time.monotonic()
        if call.status == 200:
            made = replies.response(call.script, replies.choose_item(call.script, body))
            streamed = replies.is_streamed(body)
            text = replies.event_stream(made) if streamed else json.dumps(made).encode()
            self._send(200, text, "text/event-stream" if streamed else "application/json")
        elif call.status:
            self._send(call.status, b'{"error":{"message":"Injected by the benchmark."}}')
        elif self._transport:
            self._transport.abort()

    def _send(self, status: int, body: bytes, kind: str = "application/json") -> None:
        if self._transport:
            head = f"HTTP/1.1 {status} -\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
            self._transport.write(head.encode() + body)


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def _dump_log(model: FakeModel) -> bytes:
    body: dict[str, Any] = {"calls": [asdict(call) for call in model.log], "most_in_flight": model.most_in_flight}
    return json.dumps(body).encode()


async def serve() -> None:
    """Serve on a free port of the loopback, printed first, until the process is ended."""
    model = FakeModel()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(model), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
