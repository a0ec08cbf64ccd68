"""A session's runs send their models the same conversations on both sides, and streams tell the same story."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Any

import agents
import pytest
from openai import AsyncOpenAI, DefaultAsyncHttpxClient

from orchestrator import Delta, MaxTurnsExceeded
from orchestrator.entries import HandedOff, Invoked, Output, Reply
from tests.conformance.case import CASES, Case, Json, load_cases
from tests.conformance.conftest import Sides
from tests.conformance.kit import SdkKit
from tests.support.model_server import ModelServer

load_cases()

SECONDS = 60
CONVERSATIONS = ["a_conversation", "a_conversation_with_tools", "a_conversation_with_a_handoff"]


@pytest.fixture
async def run_config(sides: Sides) -> AsyncIterator[agents.RunConfig]:
    """The SDK's, for its own server."""
    http_client = DefaultAsyncHttpxClient(verify=False)
    client = AsyncOpenAI(base_url=sides.sdk_server.url, api_key="test", max_retries=0, http_client=http_client)
    provider = agents.OpenAIProvider(openai_client=client, use_responses=True)
    yield agents.RunConfig(model_provider=provider, tracing_disabled=True)
    await client.close()


@pytest.fixture
def sdk_session() -> Any:
    session = agents.SQLiteSession("conversation")
    yield session
    session.close()


def inputs(server: ModelServer, case: Case, since: int) -> list[Any]:
    """What the case's model was sent since then, without ids that differ by chance."""
    bodies: list[Json] = [body for body in server.bodies[since:] if body["model"] == case.name]
    return [_essential(body["input"]) for body in bodies]


def _essential(items: list[Json]) -> list[Any]:
    return [_words(item) for item in items]


def _words(item: Json) -> Any:
    if "call_id" in item:
        return [item["type"], item.get("name") or item.get("output")]
    content = item["content"]
    return [item["role"], content if isinstance(content, str) else content[0]["text"]]


@pytest.mark.parametrize("name", CONVERSATIONS)
async def test_next_run_of_a_session_is_sent_what_was_said(
    name: str, sides: Sides, run_config: agents.RunConfig, sdk_session: Any
) -> None:
    case, key = CASES[name], uuid.uuid4().hex
    theirs, ours = len(sides.sdk_server.bodies), len(sides.engine_server.bodies)
    starting = case.build(SdkKit(case, sides.sdk_records))

    for text in ("I am Ada.", "Who am I?"):
        their_answer = await agents.Runner.run(starting, text, session=sdk_session, run_config=run_config)
        run = await sides.agents[name].asubmit(text, session=key, keep_agent=False)
        assert await run.aresult(SECONDS) == their_answer.final_output

    assert inputs(sides.engine_server, case, ours) == inputs(sides.sdk_server, case, theirs)


async def test_failed_run_of_a_session_leaves_what_it_leaves_there(
    sides: Sides, run_config: agents.RunConfig, sdk_session: Any
) -> None:
    case, key = CASES["a_conversation_with_tools"], uuid.uuid4().hex
    theirs, ours = len(sides.sdk_server.bodies), len(sides.engine_server.bodies)
    starting = case.build(SdkKit(case, sides.sdk_records))

    with pytest.raises(agents.MaxTurnsExceeded):
        await agents.Runner.run(starting, "Look.", session=sdk_session, run_config=run_config, max_turns=1)
    run = await sides.agents[case.name].asubmit("Look.", session=key, max_turns=1)
    with pytest.raises(MaxTurnsExceeded):
        await run.aresult(SECONDS)
    await agents.Runner.run(starting, "And?", session=sdk_session, run_config=run_config)
    await (await sides.agents[case.name].asubmit("And?", session=key)).aresult(SECONDS)

    assert inputs(sides.engine_server, case, ours) == inputs(sides.sdk_server, case, theirs)


@pytest.mark.parametrize("name", CONVERSATIONS)
async def test_stream_tells_the_same_story(name: str, sides: Sides, run_config: agents.RunConfig) -> None:
    case = CASES[name]
    streamed = agents.Runner.run_streamed(case.build(SdkKit(case, sides.sdk_records)), "Go.", run_config=run_config)
    theirs, their_text = [], ""
    async for event in streamed.stream_events():
        if event.type == "run_item_stream_event":
            theirs.append(str(event.name))
        elif event.type == "agent_updated_stream_event":
            theirs.append(f"agent_updated {event.new_agent.name}")
        elif event.data.type == "response.output_text.delta":
            their_text += event.data.delta

    run = await sides.agents[name].asubmit("Go.", run_options={"stream": True})
    ours, our_text, active = [], "", ""
    async for ours_event in run.aevents(deltas=True):
        match ours_event.entry:
            case Delta(text=text):
                our_text += text
            case Invoked(task=task) if task != active:
                active = task
                ours.append(f"agent_updated {task.partition('.')[2]}")
            case Reply(items=items):
                ours += [_name_of(item) for item in items]
            case Output():
                ours.append("tool_output")
            case HandedOff():
                ours.append("handoff_occured")

    assert ours == theirs
    assert our_text == their_text


def _name_of(item: Json) -> str:
    """The SDK's name for an item of a reply: the table in docs/streaming.md."""
    if item.get("type") != "function_call":
        return "message_output_created"
    return "handoff_requested" if item["name"].startswith("transfer_to_") else "tool_called"
