"""`approvals`, `approve`, `reject` and `answer` on an app in this process."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from orchestrator import Agent, Run, ask_person, function_tool
from orchestrator.testing import ScriptedModel, function_call
from tests.support.command_line import Command, Use
from tests.support.in_process import InProcess
from tests.support.stack import wait_until


@function_tool(needs_approval=True)
def refund(order: str) -> str:
    """Pay money back."""
    return f"paid {order}"


@pytest.fixture
def start(use: Use) -> Callable[..., tuple[Command, Run]]:
    """Starts a run whose model makes these calls at once, and waits until it asks."""

    def begin(*calls: dict[str, object]) -> tuple[Command, Run]:
        agent = Agent("clerk", model=ScriptedModel([list(calls), "Done."]), tools=[refund, ask_person()])
        office = InProcess([agent])
        command = use(office)
        run = office.submit("clerk", "Go.", run_id="run")
        wait_until(lambda: run.status() == "parked", "the run asks")
        return command, run

    return begin


def refund_call(call_id: str) -> dict[str, object]:
    return function_call("refund", {"order": call_id}, call_id=call_id)


def outputs(run: Run) -> list[object]:
    """What the calls came to, in their order."""
    assert run.result(60) == "Done."
    return [item["output"] for item in run.to_input_list() if item.get("type") == "function_call_output"]


def test_approvals_lists_what_is_asked(start: Callable[..., tuple[Command, Run]]) -> None:
    command, _ = start(refund_call("c1"), function_call("ask_person", {"question": "Why?"}, call_id="q"))

    table = command("approvals", "run").stdout
    rows = [json.loads(line) for line in command("approvals", "--json").stdout.splitlines()]

    assert "refund(order='c1')" in table or 'refund(order="c1")' in table
    assert [(row["run_id"], row["call_id"], row["kind"]) for row in rows] == [
        ("run", "c1", "approval"),
        ("run", "q", "answer"),
    ]


def test_list_and_watch_say_who_is_waited_for(start: Callable[..., tuple[Command, Run]]) -> None:
    command, run = start(refund_call("c1"))

    assert "waits for approval of refund" in command("list", "--json").stdout
    assert "waits for approval of refund" in command("show", "run").stdout
    command("reject", "run", "--message", "Too much.")
    assert outputs(run) == ["Too much."]
    lines = command("watch", "run").stdout
    assert "clerk: waits for approval of refund, holding no worker" in lines
    assert "clerk: refund rejected" in lines
    assert ": Too much." in lines


def test_the_only_call_needs_no_name(start: Callable[..., tuple[Command, Run]]) -> None:
    command, run = start(refund_call("c1"))

    assert command("approve", "run").stdout.startswith("Approved: refund(")
    assert outputs(run) == ["paid c1"]


def test_of_several_calls_one_must_be_named(start: Callable[..., tuple[Command, Run]]) -> None:
    command, run = start(refund_call("c1"), refund_call("c2"))

    unclear = command("approve", "run")
    assert (unclear.exit_code, "Name the one to approve: c1 (refund), c2 (refund)" in unclear.stderr) == (2, True)
    assert command("reject", "run", "c1").exit_code == 0
    assert command("approve", "run", "c2").exit_code == 0
    assert outputs(run) == ["Tool execution was not approved.", "paid c2"]


def test_always_decides_all_calls_of_the_tool(start: Callable[..., tuple[Command, Run]]) -> None:
    command, run = start(refund_call("c1"), refund_call("c2"))

    command("approve", "run", "c1", "--always")

    assert outputs(run) == ["paid c1", "paid c2"]


@pytest.mark.parametrize(("value", "told"), [("Paris", "Paris"), ("7", "7"), ('"in quotes"', "in quotes")])
def test_a_question_is_answered_with_text(start: Callable[..., tuple[Command, Run]], value: str, told: str) -> None:
    command, run = start(function_call("ask_person", {"question": "Where?"}, call_id="q"))

    assert command("answer", "run", value).exit_code == 0
    assert outputs(run) == [told]


def test_what_cannot_be_decided_is_said_in_a_line(start: Callable[..., tuple[Command, Run]]) -> None:
    command, run = start(refund_call("c1"))

    wrong_call = command("approve", "run", "c9")
    wrong_kind = command("answer", "run", "c1", "yes")
    nothing = command("answer", "run", "yes")
    unknown = command("approve", "nobody")
    command("approve", "run")
    assert outputs(run) == ["paid c1"]
    late = command("approve", "run", "c1")

    assert "asks nothing about a call `c9`" in wrong_call.stderr
    assert "cannot be decided so: approve or reject it" in wrong_kind.stderr
    assert "has nothing to answer" in nothing.stderr
    assert "There is no run 'nobody'" in unknown.stderr
    assert "there is nothing left to decide" in late.stderr
    codes = [result.exit_code for result in (wrong_call, wrong_kind, nothing, unknown, late)]
    assert codes == [1, 1, 2, 2, 1]
