"""Connections that a server closes: a request of which nothing was sent goes over another, any other does not."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator.errors import ModelUnavailable
from orchestrator.models.base import Model
from orchestrator.models.connections import REPEATS
from tests.support.model_calls import ask, make, texts
from tests.support.model_server import ModelServer, Reply, message


@pytest.fixture(params=["responses", "chat"])
async def model(request: pytest.FixtureRequest, server: ModelServer) -> Model:
    """A model whose connection to the server idles."""
    connected = make(request.param, server)
    server.add([message("first")])
    await connected.respond(ask())
    return connected


@pytest.mark.parametrize("stream", [False, True])
async def test_a_connection_closed_before_the_call_is_not_used(model: Model, server: ModelServer, stream: bool) -> None:
    server.add([message("second")])
    server.hang_up()  # the event loop stands still meanwhile, and cannot have heard of it

    reply = await model.respond(ask(), on_delta=(lambda _: None) if stream else None)

    assert texts(reply.items) == ["second"]


async def test_a_connection_that_closes_as_the_call_begins_is_replaced(model: Model, server: ModelServer) -> None:
    server.add([message("second")])
    call = asyncio.create_task(model.respond(ask()))  # begins in the round of the loop that hears of the closing
    server.hang_up()

    reply = await call

    assert texts(reply.items) == ["second"]
    assert len(server.requests) == 2


async def test_many_connections_closed_side_by_side_cost_no_call(model: Model, server: ModelServer) -> None:
    server.handler = lambda body, path: Reply([message("ok")], delay_seconds=0.05)
    count = 4 * REPEATS
    await asyncio.gather(*(model.respond(ask()) for _ in range(count)))
    server.hang_up()

    replies = await asyncio.gather(*(model.respond(ask()) for _ in range(count)))

    assert [texts(reply.items) for reply in replies] == [["ok"]] * count
    assert len(server.requests) == 1 + 2 * count


@pytest.mark.parametrize("stream", [False, True])
async def test_a_request_that_the_server_may_have_read_is_not_repeated(
    model: Model, server: ModelServer, stream: bool
) -> None:
    server.add(Reply(drop="before"), [message("second")])

    with pytest.raises(ModelUnavailable, match="cannot be reached"):
        await model.respond(ask(), on_delta=(lambda _: None) if stream else None)
    assert len(server.requests) == 2


async def test_a_server_that_hangs_up_on_everybody_is_unavailable() -> None:
    accepted = 0

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal accepted
        accepted += 1
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as listening:
        with pytest.raises(ModelUnavailable, match="cannot be reached"):
            await make("responses", f"http://{_address(listening)}/v1").respond(ask())

    assert 1 <= accepted <= REPEATS + 1


@pytest.mark.parametrize("stream", [False, True])
async def test_an_idle_connection_is_used_again(model: Model, server: ModelServer, stream: bool) -> None:
    server.add([message("second")], [message("third")])

    await model.respond(ask(), on_delta=(lambda _: None) if stream else None)
    await model.respond(ask())

    assert len({request.port for request in server.requests}) == 1


async def test_the_environments_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    heads: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 503 Full\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as proxy:
        monkeypatch.setenv("http_proxy", f"user:word@{_address(proxy)}")
        monkeypatch.setenv("no_proxy", "")
        with pytest.raises(ModelUnavailable, match="answered 503"):
            await make("responses", "http://models.invalid/v1").respond(ask())

    assert heads[0].startswith(b"POST http://models.invalid/v1/responses HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic dXNlcjp3b3Jk\r\n" in heads[0]


def _address(listening: asyncio.Server) -> str:
    host, port = listening.sockets[0].getsockname()[:2]
    return f"{host}:{port}"
