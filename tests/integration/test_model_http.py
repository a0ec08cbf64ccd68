"""The models over HTTP: the real openai client against a scripted server."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
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
from orchestrator.models.base import Item, Model, ModelRequest, ToolSpec
from orchestrator.models.openai_chat import OpenAIChat
from orchestrator.models.openai_client import Server, close_clients
from orchestrator.models.openai_responses import OpenAIResponses
from orchestrator.models.resolve import resolve_model
from orchestrator.settings import Settings
from tests.support.model_server import ModelServer, Reply, error, message, refusal, tool_call, usage

WEATHER = ToolSpec("weather", "The weather.", {"type": "object", "properties": {"city": {"type": "string"}}})


@pytest.fixture(scope="module")
def running_server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.fixture
def server(running_server: ModelServer) -> ModelServer:
    running_server.reset()
    return running_server


@pytest.fixture(autouse=True)
async def _closed_clients() -> AsyncIterator[None]:
    yield
    await close_clients()


@pytest.fixture(params=["responses", "chat"])
def model(request: pytest.FixtureRequest, server: ModelServer) -> Model:
    return make(request.param, server)


def make(api: str, server: ModelServer | str, **changes: Any) -> Model:
    url = server if isinstance(server, str) else server.url
    endpoint = Server(url, "sk-test", **{"max_retries": 0, **changes})
    return OpenAIResponses("m", endpoint) if api == "responses" else OpenAIChat("m", endpoint)


def ask(text: str = "hi", **changes: Any) -> ModelRequest:
    return ModelRequest(instructions="Be brief.", input=[{"role": "user", "content": text}], **changes)


def texts(items: list[Item]) -> list[str]:
    return [part["text"] for item in items if item["type"] == "message" for part in item["content"]]


# --- replies ---


async def test_a_reply_brings_items_usage_and_who_answered(model: Model, server: ModelServer) -> None:
    server.add(Reply([message("Hello."), tool_call("weather", {"city": "Rome"}, call_id="c1")], usage(9, 4, cached=2)))

    reply = await model.respond(ask(tools=[WEATHER]))

    assert texts(reply.items) == ["Hello."]
    assert (reply.items[1]["call_id"], reply.items[1]["arguments"]) == ("c1", '{"city": "Rome"}')
    assert (reply.usage.requests, reply.usage.input_tokens, reply.usage.cached_tokens) == (1, 9, 2)
    assert reply.model == "m"
    assert reply.response_id


@pytest.mark.parametrize("by_setting", [True, False])
async def test_a_streamed_reply_is_the_same_reply(model: Model, server: ModelServer, by_setting: bool) -> None:
    items = [message("Hello, world."), tool_call("weather", {"city": "Rome"}), tool_call("weather", {"city": "Oslo"})]
    server.add(items, items)
    pieces: list[str] = []

    plain = await model.respond(ask())
    if by_setting:
        streamed = await model.respond(ask(settings=ModelSettings(stream=True)))
    else:
        streamed = await model.respond(ask(), on_delta=pieces.append)

    assert streamed.items == plain.items
    assert streamed.usage == plain.usage
    assert "stream" not in server.bodies[0]
    assert server.bodies[1]["stream"] is True
    assert pieces == ([] if by_setting else ["Hell", "o, w", "orld", "."])


async def test_the_next_turn_sends_back_what_came(server: ModelServer) -> None:
    model = make("responses", server)
    reasoning: Item = {"type": "reasoning", "id": "rs_1", "summary": [], "status": None, "encrypted_content": "e"}
    call = tool_call("weather", {"city": "Rome"}, call_id="c1")
    server.add([reasoning, {**call, "created_by": "somebody"}], [message("ok")])

    first = await model.respond(ask())
    result = {"type": "function_call_output", "call_id": "c1", "output": "sun"}
    await model.respond(ModelRequest(instructions=None, input=[*first.items, result]))

    sent_reasoning = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "e"}
    assert server.bodies[1]["input"] == [sent_reasoning, call, result]


async def test_a_refusal_is_kept_as_a_content_part(model: Model, server: ModelServer) -> None:
    server.add([refusal("I won't.")], [refusal("I won't.")])

    plain = await model.respond(ask())
    streamed = await model.respond(ask(), on_delta=lambda _: None)

    assert plain.items[0]["content"] == streamed.items[0]["content"] == [{"type": "refusal", "refusal": "I won't."}]


async def test_headers_query_and_key_reach_the_server(model: Model, server: ModelServer) -> None:
    server.add([message("ok")])

    await model.respond(ask(settings=ModelSettings(extra_headers={"X-Team": "a"}, extra_query={"version": "2"})))

    [request] = server.requests
    assert (request.headers["x-team"], request.query) == ("a", {"version": "2"})
    assert request.headers["authorization"] == "Bearer sk-test"


async def test_streamed_chat_asks_for_usage_unless_told_not_to(server: ModelServer) -> None:
    server.add([message("a")], [message("b")])
    model = make("chat", server)

    counted = await model.respond(ask(settings=ModelSettings(stream=True)))
    uncounted = await model.respond(ask(settings=ModelSettings(stream=True, include_usage=False)))

    assert counted.usage.total_tokens == 15
    assert uncounted.usage.total_tokens == 0
    assert "stream_options" not in server.bodies[1]


async def test_items_of_a_stream_whose_last_event_is_empty_are_kept(server: ModelServer) -> None:
    item = message("kept")
    done = {"type": "response.output_item.done", "item": item}
    server.add(Reply(events=[done, {"type": "response.completed", "response": {"status": "completed", "output": []}}]))

    reply = await make("responses", server).respond(ask(), on_delta=lambda _: None)

    assert reply.items == [item]


async def test_calls_run_side_by_side_on_one_client(server: ModelServer) -> None:
    server.handler = lambda body, path: Reply([message(path)], delay_seconds=0.2)
    model = make("responses", server)
    before = time.monotonic()

    await asyncio.gather(*(model.respond(ask()) for _ in range(20)))

    assert server.most_in_flight == 20
    assert time.monotonic() - before < 2


def test_each_event_loop_has_its_own_connections(server: ModelServer) -> None:
    server.add([message("a")], [message("b")])
    model = make("responses", server)

    async def once() -> list[str]:
        reply = await model.respond(ask())
        await close_clients()
        return texts(reply.items)

    assert [asyncio.run(once()), asyncio.run(once())] == [["a"], ["b"]]


async def test_calls_after_closing_open_new_connections(model: Model, server: ModelServer) -> None:
    server.add([message("a")], [message("b")])

    await model.respond(ask())
    await close_clients()

    assert texts((await model.respond(ask())).items) == ["b"]


# --- models by name ---


async def test_a_server_without_a_key_is_asked_for_its_first_model_once(server: ModelServer) -> None:
    server.models = ["qwen", "other"]
    server.add([message("a")], [message("b")])
    model = resolve_model(None, settings=Settings(openai_base_url=server.url, openai_api_key=None))

    assert "first model of 127.0.0.1" in model.name
    await model.respond(ask())
    await model.respond(ask())

    assert model.name == "qwen"
    assert [request.path for request in server.requests] == ["/models", "/chat/completions", "/chat/completions"]
    assert server.bodies[0]["model"] == "qwen"
    assert server.requests[0].headers["authorization"] == "Bearer none"


async def test_a_server_without_models_says_what_to_do(server: ModelServer) -> None:
    server.models = []

    with pytest.raises(ModelRequestRejected, match=r"offers no model.*ORCHESTRATOR_MODEL"):
        await OpenAIChat(None, Server(server.url)).respond(ask())


async def test_a_prompt_template_keeps_its_own_model(server: ModelServer) -> None:
    server.add([message("a")], [message("b")])
    settings = Settings(openai_base_url=server.url, openai_api_key="sk-test")

    await resolve_model(None, settings=settings).respond(ask(prompt={"id": "p"}))
    await resolve_model("gpt-4.1", settings=settings).respond(ask(prompt={"id": "p"}))

    assert [body.get("model") for body in server.bodies] == [None, "gpt-4.1"]


async def test_a_union_of_tools_reaches_the_server_as_one_schema(server: ModelServer) -> None:
    server.add([message('{"tool": "weather", "arguments": {"city": "Rome"}}')])
    settings = Settings(openai_base_url=server.url, openai_api_key=None)

    reply = await resolve_model("schema-union/qwen", settings=settings).respond(ask(tools=[WEATHER]))

    [body] = server.bodies
    assert (reply.items[0]["name"], reply.items[0]["arguments"]) == ("weather", '{"city": "Rome"}')
    assert body["response_format"]["json_schema"]["schema"]["anyOf"][0]["properties"]["tool"] == {"const": "weather"}
    assert "tools" not in body


# --- errors: the server's ---


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
    assert describe_error(caught.value)["type"] == error_type
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


# --- errors: retries, time, connections ---


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [({"retry-after-ms": "150"}, 0.15, 0.45), ({"retry-after": "1"}, 1.0, 1.45)],
)
async def test_the_servers_wish_to_wait_is_honoured(
    server: ModelServer, headers: dict[str, str], least: float, most: float
) -> None:
    server.add(error(429, headers=headers), [message("ok")])

    reply = await make("responses", server, max_retries=2).respond(ask())

    first, second = server.requests
    assert texts(reply.items) == ["ok"]
    assert least <= second.time - first.time < most
    assert second.body == first.body


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

    async with asyncio.timeout(2):
        while not server.requests[0].was_cut:
            await asyncio.sleep(0.02)


# --- errors: the model's ---


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
