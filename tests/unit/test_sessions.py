"""Conversations over many runs, on the engine in this process."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from orchestrator.agent import Agent
from orchestrator.client import Client
from orchestrator.errors import (
    AgentNotLoaded,
    InvalidInput,
    MaxTurnsExceeded,
    OutputGuardrailTripwireTriggered,
    RunCancelled,
    RunFailed,
    SessionBusy,
)
from orchestrator.exchange import SUMMARY
from orchestrator.flow import Flow
from orchestrator.guardrail import GuardrailFunctionOutput, output_guardrail
from orchestrator.loop import background
from orchestrator.models.base import Item
from orchestrator.session import Compaction, Session
from orchestrator.testing import ScriptedModel, function_call
from orchestrator.tool import function_tool
from tests.support.in_process import InProcess
from tests.support.stack import wait_until

SECONDS = 10


@function_tool
def look_up(order: str) -> str:
    """Look something up."""
    return f"{order} is on its way"


class Desk:
    """An app in this process whose one agent plays a script."""

    def __init__(self, *replies: Any, **fields: Any) -> None:
        self.model = ScriptedModel(replies)
        self.agent = Agent("clerk", model=self.model, tools=[look_up], **fields)
        self.app = InProcess([self.agent])
        self.client: Client = self.app.client

    def say(self, text: str, session: Session | str = "chat", **options: Any) -> Any:
        return self.client.submit(self.agent, text, session=session, **options).result(SECONDS)

    def session(self, **options: Any) -> Session:
        return self.client.session("chat", **options)


def texts(items: list[Item]) -> list[str]:
    """What was said, and which calls were made and answered."""
    return [_text(item) for item in items]


def _text(item: Item) -> str:
    if item.get("type") == "function_call":
        return f"call {item['name']}"
    if item.get("type") == "function_call_output":
        return f"output {item['output']}"
    content = item["content"]
    return content if isinstance(content, str) else str(content[0]["text"])


def test_next_run_sees_what_was_said_before() -> None:
    desk = Desk("Hello Ada.", "You are Ada.")

    desk.say("I am Ada.")
    answer = desk.say("Who am I?")

    assert answer == "You are Ada."
    assert texts(list(desk.model.requests[1].input)) == ["I am Ada.", "Hello Ada.", "Who am I?"]
    assert texts(desk.session().items()) == ["I am Ada.", "Hello Ada.", "Who am I?", "You are Ada."]


def test_calls_and_their_outputs_are_part_of_the_conversation() -> None:
    desk = Desk(function_call("look_up", {"order": "A1"}), "Soon.", "As I said.")

    desk.say("Where is A1?")
    desk.say("And now?")

    seen = texts(list(desk.model.requests[2].input))
    assert seen == ["Where is A1?", "call look_up", "output A1 is on its way", "Soon.", "And now?"]


def test_sessions_know_nothing_of_each_other() -> None:
    desk = Desk("one", "two")

    desk.say("a", session="first")
    desk.say("b", session="second")

    assert texts(list(desk.model.requests[1].input)) == ["b"]


def test_items_are_limited_to_the_latest() -> None:
    desk = Desk("1", "2")
    desk.say("one")
    desk.say("two")

    assert texts(desk.session().items(3)) == ["1", "two", "2"]
    assert desk.session().items(0) == []


def test_submit_of_one_run_id_adds_its_message_once() -> None:
    desk = Desk("hi")

    for _ in range(3):
        desk.say("hello", run_id="mail-1")

    assert texts(desk.session().items()) == ["hello", "hi"]


def test_failed_run_leaves_its_message_and_the_turns_that_were_whole() -> None:
    desk = Desk(function_call("look_up", {"order": "A1"}), "fine")
    with pytest.raises(MaxTurnsExceeded):
        desk.say("Where is A1?", max_turns=1)

    desk.say("Hello?")

    assert texts(list(desk.model.requests[1].input)) == [
        "Where is A1?",
        "call look_up",
        "output A1 is on its way",
        "Hello?",
    ]


def test_failed_run_leaves_no_call_that_was_never_answered() -> None:
    @function_tool(failure_error_function=None)
    def explode() -> str:
        """Fail for good."""
        raise RuntimeError("no stock")

    desk = Desk([function_call("explode"), function_call("look_up", {"order": "A1"})], "fine")
    desk.agent.tools.append(explode)
    with pytest.raises(RunFailed):
        desk.say("Go on.")

    left = desk.session().items()

    calls = {item["call_id"] for item in left if item.get("type") == "function_call"}
    assert calls == {item["call_id"] for item in left if item.get("type") == "function_call_output"}
    unknown = [item["output"] for item in left if "Unknown" in str(item.get("output"))]
    assert all("may have taken effect" in output for output in unknown)


def test_answer_that_a_guardrail_has_blocked_is_not_remembered() -> None:
    @output_guardrail
    def keep_secrets(context: Any, agent: Any, output: Any) -> GuardrailFunctionOutput:
        """Trips over the word."""
        return GuardrailFunctionOutput(output_info=None, tripwire_triggered="secret" in str(output))

    desk = Desk(function_call("look_up", {"order": "A1"}), "the secret", "fine", output_guardrails=[keep_secrets])
    with pytest.raises(OutputGuardrailTripwireTriggered):
        desk.say("Tell me.")

    desk.say("Well?")

    seen = texts(list(desk.model.requests[2].input))
    assert seen == ["Tell me.", "call look_up", "output A1 is on its way", "Well?"]


# ---- who goes on --------------------------------------------------------------------------------


def two_agents() -> tuple[InProcess, Agent[Any]]:
    billing = Agent("billing", model=ScriptedModel(["I do bills.", "Still me.", "Me too."]))
    triage = Agent(
        "triage", handoffs=[billing], model=ScriptedModel([function_call("transfer_to_billing"), "Triage here."])
    )
    return InProcess([triage]), triage


def test_specialist_who_had_the_conversation_goes_on_with_it() -> None:
    app, triage = two_agents()
    session = app.client.session("chat")
    session.submit(triage, "My bill!").result(SECONDS)

    run = session.submit(triage, "Are you there?")

    assert run.result(SECONDS) == "Still me."
    assert run.summary().agent == session.active_agent == "billing"


def test_run_may_start_at_the_agent_that_it_names() -> None:
    app, triage = two_agents()
    session = app.client.session("chat")
    session.submit(triage, "My bill!").result(SECONDS)

    assert session.submit(triage, "Something else.", keep_agent=False).result(SECONDS) == "Triage here."
    assert session.active_agent == "triage"


def test_agent_that_nobody_has_loaded_any_more_does_not_hold_the_conversation(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = Desk("one", "two")
    desk.say("a")
    session = next(iter(desk.app.ledger._sessions.values()))
    session.task = "agents.gone"

    assert desk.say("b") == "two"
    assert "agent `gone`, which no worker has loaded" in caplog.text


# ---- one at a time ------------------------------------------------------------------------------


class SlowModel(ScriptedModel):
    """Answers when it is allowed to."""

    def __init__(self, *replies: Any) -> None:
        super().__init__(replies)
        self.gate = asyncio.Event()

    async def respond(self, request: Any, **options: Any) -> Any:
        reply = await super().respond(request, **options)
        await self.gate.wait()
        return reply

    def open(self) -> None:
        background.loop.call_soon_threadsafe(self.gate.set)


def slow_desk(*replies: Any) -> tuple[Desk, SlowModel]:
    desk = Desk()
    model = SlowModel(*replies)
    desk.agent.model = model
    return desk, model


def test_two_runs_take_turns() -> None:
    desk, model = slow_desk("1", "2", "3")
    runs = [desk.session().submit(desk.agent, word) for word in ("one", "two", "three")]
    record = desk.session().summary()
    assert record
    assert (record.floor, record.line) == (runs[0].id, [runs[1].id, runs[2].id])
    assert [run.id for run in desk.session().runs()] == [run.id for run in runs]

    model.open()

    assert [run.result(SECONDS) for run in runs] == ["1", "2", "3"]
    assert texts(desk.session().items()) == ["one", "1", "two", "2", "three", "3"]
    assert texts(list(model.requests[2].input)) == ["one", "1", "two", "2", "three"]


def test_run_that_does_not_want_to_wait_is_refused() -> None:
    desk, model = slow_desk("1")
    run = desk.session().submit(desk.agent, "one")

    with pytest.raises(SessionBusy, match=run.id):
        desk.session().submit(desk.agent, "two", if_busy="reject")

    model.open()
    run.result(SECONDS)


def test_interrupting_run_ends_the_one_at_work() -> None:
    desk, model = slow_desk("never heard", "2")
    first = desk.session().submit(desk.agent, "one")
    wait_until(lambda: model.requests, "the first is at work")

    second = desk.session().submit(desk.agent, "two", if_busy="interrupt")
    model.open()

    with pytest.raises(RunCancelled):
        first.result(SECONDS)
    assert second.result(SECONDS) == "2"
    assert texts(desk.session().items())[0] == "one"
    assert texts(desk.session().items())[-2:] == ["two", "2"]


# ---- trimming and summing up --------------------------------------------------------------------


def test_run_is_given_the_latest_exchanges_only() -> None:
    desk = Desk("1", "2", "3")
    session = desk.session(keep_last=1)

    for word in ("one", "two", "three"):
        desk.say(word, session=session)

    assert texts(list(desk.model.requests[2].input)) == ["two", "2", "three"]
    assert len(session.items()) == 6


def test_long_conversation_is_summed_up_by_an_agent_in_a_run_of_its_own() -> None:
    desk = Desk("1", "2", "3", "4", "5")
    writer = Agent("writer", model=ScriptedModel(["They count."]))
    desk.app.registry.add([writer])
    session = desk.session(compact=Compaction("writer", after=2, keep=1))

    for word in ("one", "two", "three", "four"):
        desk.say(word, session=session)
    desk.say("five", session=session)

    assert texts(list(desk.model.requests[4].input)) == [f"{SUMMARY}They count.", "four", "4", "five"]
    [summary_run] = [run for run in session.runs() if run.summary().agent == "writer"]
    assert summary_run.summary().usage.requests == 1
    assert session.active_agent == "clerk"


def test_summary_that_fails_loses_nothing() -> None:
    desk = Desk("1", "2", "3")
    desk.app.registry.add([Agent("writer", model=ScriptedModel([RuntimeError("no ink")]))])
    session = desk.session(compact=Compaction("writer", after=0, keep=0))

    desk.say("one", session=session)
    desk.say("two", session=session)
    desk.say("three", session=session)

    assert texts(session.items())[:4] == ["one", "1", "two", "2"]


# ---- by hand ------------------------------------------------------------------------------------


def test_history_can_be_changed_by_hand() -> None:
    desk = Desk("Hello Ada.", "Bob!")
    session = desk.session()
    desk.say("I am Ada.")

    popped = session.pop()
    session.add_items([{"role": "user", "content": "I am Bob."}, {"role": "assistant", "content": "Hi Bob."}])
    desk.say("Who am I?")

    assert texts(popped or []) == ["I am Ada.", "Hello Ada."]
    assert texts(list(desk.model.requests[1].input)) == ["I am Bob.", "Hi Bob.", "Who am I?"]
    session.clear()
    assert (session.items(), session.active_agent) == ([], None)


# ---- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize("session", ["", "a b", "a" * 129, "{x}", 7])
def test_session_id_must_be_one(session: Any) -> None:
    with pytest.raises(InvalidInput, match=r"A session's id is 1 to 128"):
        Desk().say("hello", session=session)


def test_unknown_policy_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r'"queue", "reject" or "interrupt", not "?\'?wait'):
        Desk().say("hello", if_busy="wait")


def test_keep_last_counts_from_one() -> None:
    desk = Desk()
    with pytest.raises(InvalidInput, match="keep_last counts exchanges, from 1"):
        desk.say("hello", session=desk.session(keep_last=0))


def test_unknown_summariser_is_refused_before_anything_is_stored() -> None:
    desk = Desk("hi")
    with pytest.raises(AgentNotLoaded, match=r"`chat` is to be summed up by agent `nobody`"):
        desk.say("hello", session=desk.session(compact=Compaction("nobody")))

    assert desk.session().summary() is None


def test_flow_has_no_conversation() -> None:
    app = InProcess([flow := Flow("flow", Agent("a", model=ScriptedModel(["x"])))])

    with pytest.raises(InvalidInput, match=r"`flows\.flow` cannot go on with a session"):
        app.client.submit(flow, "hello", session="chat")
