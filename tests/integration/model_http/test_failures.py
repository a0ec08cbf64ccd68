"""How the models over HTTP fail: statuses, retries, broken connections, garbage."""

from __future__ import annotations

import asyncio
import gzip
import socket
from typing import Any

import pytest

from orchestrator.errors import (
    ModelBehaviorError,
    ModelCallError,
    ModelRequestRejected,
    ModelUnavailable,
    describe_error,
)
from orchestrator.model_settings import ModelSettings
from orchestrator.models.base import Model
from orchestrator.models.openai_responses import OpenAIResponses
from tests.support.model_calls import ask, make, texts
from tests.support.model_server import ModelServer, Reply, error, message


@pytest.mark.parametrize(
    ("status", "kind", "error_type", "remedy"),
    [
        (400, ModelRequestRejected, "BadRequestError", "change the request"),
        (401, ModelRequestRejected, "AuthenticationError", "Set OPENAI_API_KEY"),
        (403, ModelRequestRejected, "PermissionDeniedError", "may not use this model"),
        (404, ModelRequestRejected, "NotFoundError", "ORCHESTRATOR_MODEL"),
        (408, ModelUnavailable, "APIStatusError", "later"),
        (409, ModelUnavailable, "ConflictError", "later"),
        (422, ModelRequestRejected, "UnprocessableEntityError", "change the request"),
        (429, ModelUnavailable, "RateLimitError", "limits the rate"),
        (500, ModelUnavailable, "InternalServerError", "later"),
        (503, ModelUnavailable, "InternalServerError", "later"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_status_tells_whether_to_try_again(
    model: Model,
    server: ModelServer,
    status: int,
    kind: type[ModelCallError],
    error_type: str,
    remedy: str,
    stream: bool,
) -> None:
    server.add(error(status, "Because I say so."))

    with pytest.raises(ModelCallError) as caught:
        await model.respond(ask(settings=ModelSettings(stream=stream)))

    host = server.url.split("/")[2]
    assert type(caught.value) is kind
    assert caught.value.message.startswith(f"Model `m` at {host} answered {status}: Because I say so. ")
    assert remedy in caught.value.message
    assert caught.value.data == {"error_type": error_type, "status": status, "model": "m", "server": host}
    assert describe_error(caught.value)["data"]["error_type"] == error_type
    assert "sk-test" not in repr(caught.value)


async def test_an_unknown_model_is_answered_with_the_known_ones(model: Model, server: ModelServer) -> None:
    server.models = ["qwen", "llama"]
    server.add(error(404, "no such model"))

    with pytest.raises(ModelRequestRejected, match=r"It knows these models: qwen, llama\. Set ORCHESTRATOR_MODEL"):
        await model.respond(ask())


async def test_a_missing_api_is_told_from_a_missing_model(server: ModelServer) -> None:
    server.models = ["m"]
    server.add(error(404, "Not Found"))

    with pytest.raises(ModelRequestRejected, match="lacks /responses: try ORCHESTRATOR_MODEL_API=chat"):
        await make("responses", server).respond(ask())


async def test_an_empty_account_is_told_from_a_rate_limit(server: ModelServer) -> None:
    server.add(error(429, "You exceeded your quota", code="insufficient_quota"))

    with pytest.raises(ModelUnavailable, match="plan and billing"):
        await make("responses", server).respond(ask())


@pytest.mark.parametrize("body", ["<html>Bad gateway</html>", {"detail": "Bad gateway"}, {"error": "Bad gateway"}])
async def test_errors_of_any_shape_are_shown(server: ModelServer, body: Any) -> None:
    server.add(Reply(status=502, body=body))

    with pytest.raises(ModelUnavailable, match=r"answered 502: .*Bad gateway"):
        await make("responses", server).respond(ask())


@pytest.mark.parametrize("stream", [False, True])
async def test_compressed_errors_are_shown(server: ModelServer, stream: bool) -> None:
    server.add(Reply(status=502, body=gzip.compress(b'{"error": "Bad gateway"}'), headers={"Content-Encoding": "gzip"}))

    with pytest.raises(ModelUnavailable, match=r"answered 502: Bad gateway"):
        await make("responses", server).respond(ask(settings=ModelSettings(stream=stream)))


@pytest.mark.parametrize(("headers", "seconds"), [({"retry-after-ms": "1500"}, 1.5), ({"retry-after": "1"}, 1.0)])
async def test_the_servers_wish_to_wait_is_honoured(
    server: ModelServer, headers: dict[str, str], seconds: float
) -> None:
    server.add(error(429, headers=headers), [message("ok")])

    reply = await make("responses", server, max_retries=2).respond(ask())

    first, second = server.requests
    assert texts(reply.items) == ["ok"]
    assert second.time - first.time >= seconds  # longer than we would wait ourselves
    assert second.body == first.body


async def test_a_wish_to_wait_too_long_is_an_error_at_once(server: ModelServer) -> None:
    server.add(error(429, headers={"retry-after": "500"}))

    with pytest.raises(ModelUnavailable) as caught:
        await make("responses", server, max_retries=2).respond(ask())
    assert caught.value.data["retry_after_seconds"] == 500
    assert len(server.requests) == 1


@pytest.mark.parametrize("failure", [error(500), Reply(drop="before"), Reply([message("x" * 100)], drop="middle")])
async def test_what_may_pass_is_tried_again(model: Model, server: ModelServer, failure: Reply) -> None:
    server.add(failure, [message("ok")])
    patient = make("responses" if isinstance(model, OpenAIResponses) else "chat", server, max_retries=1)

    reply = await patient.respond(ask())

    assert texts(reply.items) == ["ok"]
    assert len(server.requests) == 2


async def test_what_will_not_pass_is_tried_once(server: ModelServer) -> None:
    server.add(error(400))

    with pytest.raises(ModelRequestRejected):
        await make("responses", server, max_retries=5).respond(ask())
    assert len(server.requests) == 1


async def test_a_dropped_connection_is_unavailable(model: Model, server: ModelServer) -> None:
    server.add(Reply(drop="before"))

    with pytest.raises(ModelUnavailable, match=r"cannot be reached: .*OPENAI_BASE_URL") as caught:
        await model.respond(ask())
    assert caught.value.data["error_type"] == "APIConnectionError"
    assert "status" not in caught.value.data


async def test_a_stream_that_breaks_off_is_unavailable_and_not_repeated(model: Model, server: ModelServer) -> None:
    server.add(Reply([message("x" * 100)], drop="middle"))
    patient = make("responses" if isinstance(model, OpenAIResponses) else "chat", server, max_retries=3)

    with pytest.raises(ModelUnavailable):
        await patient.respond(ask(), on_delta=lambda _: None)
    assert len(server.requests) == 1


async def test_nobody_listening_is_unavailable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"

        with pytest.raises(ModelUnavailable, match="cannot be reached") as caught:
            await make("responses", url).respond(ask())
    assert caught.value.data["error_type"] == "APIConnectionError"


@pytest.mark.parametrize("by_settings", [True, False])
async def test_a_slow_server_is_unavailable(server: ModelServer, by_settings: bool) -> None:
    server.add(Reply([message("late")], delay_seconds=5))
    model = make("responses", server, **({} if by_settings else {"timeout_seconds": 0.2}))
    settings = ModelSettings(timeout=0.2) if by_settings else ModelSettings()

    with pytest.raises(ModelUnavailable, match="did not answer in time") as caught:
        await model.respond(ask(settings=settings))
    assert caught.value.data["error_type"] == "APITimeoutError"


@pytest.mark.parametrize("stream", [False, True])
async def test_cancelling_a_call_hangs_up(model: Model, server: ModelServer, stream: bool) -> None:
    server.add(Reply([message("late")], delay_seconds=5))
    call = asyncio.ensure_future(model.respond(ask(settings=ModelSettings(stream=stream))))
    await asyncio.to_thread(server.wait_for_requests, 1)

    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    async with asyncio.timeout(60):
        while not server.requests[0].was_cut:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    "body", ["<html>hi</html>", "{oops", "[1]", "", '{"hello": 1}', '{"error": {"message": "no"}}']
)
async def test_garbage_is_shown_with_the_models_name(model: Model, server: ModelServer, body: str) -> None:
    server.add(Reply(body=body))

    with pytest.raises(ModelBehaviorError, match=r"^Model `m` at 127\.0\.0\.1:\d+ answered something") as caught:
        await model.respond(ask())
    assert caught.value.message.endswith(body or "nothing")


@pytest.mark.parametrize("events", [[], ["data: nonsense\n\n"], ["data: [1]\n\n"]])
async def test_a_garbled_stream_is_the_models_fault(model: Model, server: ModelServer, events: list[Any]) -> None:
    server.add(Reply(events=events))

    with pytest.raises(ModelBehaviorError, match="Model `m` at"):
        await model.respond(ask(), on_delta=lambda _: None)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"status": "failed", "error": {"code": "server_error", "message": "boom"}}, "failed: boom"),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "Raise `max_tokens`"),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "incomplete: content_filter"),
    ],
)
async def test_a_response_that_is_not_completed_is_an_error(
    server: ModelServer, changes: dict[str, Any], said: str, stream: bool
) -> None:
    server.add(Reply([message("half")], changes=changes))

    with pytest.raises(ModelBehaviorError, match=said) as caught:
        await make("responses", server).respond(ask(settings=ModelSettings(stream=stream)))
    assert caught.value.data["response_status"] == changes["status"]


async def test_an_error_event_ends_a_responses_stream(server: ModelServer) -> None:
    server.add(Reply(events=[{"type": "error", "code": "server_error", "message": "bang"}]))

    with pytest.raises(ModelBehaviorError, match="bang"):
        await make("responses", server).respond(ask(), on_delta=lambda _: None)


async def test_an_error_in_the_middle_of_a_chat_stream_is_unavailable(server: ModelServer) -> None:
    server.add(Reply(events=[{"choices": [{"delta": {"content": "x"}}]}, {"error": {"message": "out of memory"}}]))

    with pytest.raises(ModelUnavailable, match="broke off its reply: out of memory"):
        await make("chat", server).respond(ask(), on_delta=lambda _: None)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_chat_cut_at_the_token_limit_is_a_reply_that_says_so(server: ModelServer, stream: bool) -> None:
    choice: dict[str, Any] = {"index": 0, "finish_reason": "length"}
    whole = {"choices": [{**choice, "message": {"role": "assistant", "content": "Once upon"}}]}
    chunk = {"choices": [{**choice, "delta": {"content": "Once upon"}}]}
    server.add(Reply(events=[chunk]) if stream else Reply(body=whole))

    reply = await make("chat", server).respond(ask(settings=ModelSettings(stream=stream)))

    assert (texts(reply.items), reply.items[0]["status"]) == (["Once upon"], "incomplete")
