"""Conversations over many runs, on the engine in this process."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.agent import Agent
from orchestrator.errors import (
    AgentNotLoaded,
    InvalidInput,
    MaxTurnsExceeded,
    OutputGuardrailTripwireTriggered,
    RunFailed,
)
from orchestrator.exchange import SUMMARY
from orchestrator.flow import Flow
from orchestrator.guardrail import GuardrailFunctionOutput, output_guardrail
from orchestrator.session import Compaction
from orchestrator.testing import ScriptedModel, function_call
from orchestrator.tool import function_tool
from tests.support.desk import Desk, texts
from tests.support.in_process import InProcess

SECONDS = 60


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
