"""The models over HTTP: the real openai client against a scripted server."""

from __future__ import annotations

import asyncio
import gzip
import json

import pytest

from orchestrator.errors import ModelRequestRejected
from orchestrator.model_settings import ModelSettings
from orchestrator.models.base import Item, Model, ModelRequest, ToolSpec
from orchestrator.models.openai_chat import OpenAIChat
from orchestrator.models.openai_client import Server, close_clients
from orchestrator.models.resolve import resolve_model
from orchestrator.settings import Settings
from tests.support.model_calls import ask, make, texts
from tests.support.model_server import ModelServer, Reply, message, refusal, tool_call, usage

WEATHER = ToolSpec("weather", "The weather.", {"type": "object", "properties": {"city": {"type": "string"}}})


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


@pytest.mark.parametrize("stream", [False, True])
async def test_an_extra_header_replaces_the_clients_own(model: Model, server: ModelServer, stream: bool) -> None:
    server.add([message("ok")])
    headers = {"AUTHORIZATION": "Bearer other", "user-agent": "mine"}

    await model.respond(ask(settings=ModelSettings(extra_headers=headers, stream=stream)))

    [request] = server.requests
    assert (request.headers["authorization"], request.headers["user-agent"]) == ("Bearer other", "mine")


@pytest.mark.parametrize("stream", [False, True])
async def test_compressed_replies_are_read(server: ModelServer, stream: bool) -> None:
    reply = {"type": "response.completed", "response": {"status": "completed", "output": [message("small")]}}
    text = f"data: {json.dumps(reply)}\n\n" if stream else json.dumps(reply["response"])
    server.add(Reply(body=gzip.compress(text.encode()), headers={"Content-Encoding": "gzip"}))

    answered = await make("responses", server).respond(ask(settings=ModelSettings(stream=stream)))

    assert texts(answered.items) == ["small"]


async def test_the_openai_clients_own_settings_reach_the_server(
    model: Model, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
    server.add([message("ok")])

    await model.respond(ask())

    [request] = server.requests
    assert (request.headers["openai-organization"], request.headers["openai-project"]) == ("org-1", "proj-1")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("AsyncOpenAI/Python")


async def test_a_server_that_moved_is_followed(server: ModelServer) -> None:
    server.add(Reply(status=307, body="", headers={"Location": f"{server.url}/responses"}), [message("here")])

    reply = await make("responses", server).respond(ask())

    assert texts(reply.items) == ["here"]
    assert server.bodies[0] == server.bodies[1]


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
    server.handler = lambda body, path: Reply([message(path)], delay_seconds=2)
    model = make("responses", server)

    await asyncio.gather(*(model.respond(ask()) for _ in range(20)))

    assert server.most_in_flight == 20


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
