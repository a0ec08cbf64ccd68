"""Who goes on with a conversation, and one run of it at a time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from orchestrator.agent import Agent
from orchestrator.errors import RunCancelled, SessionBusy
from orchestrator.loop import background
from orchestrator.testing import ScriptedModel, function_call
from tests.support.desk import Desk, texts
from tests.support.in_process import InProcess
from tests.support.stack import wait_until

SECONDS = 60


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
