"""Runs are cancelled, paused, retried and limited from the command line."""

from __future__ import annotations

import json
import re

import pytest

from orchestrator import Flow
from orchestrator.limits import Caps, Limit
from orchestrator.testing import ScriptedModel, function_call, refusal_message
from tests.support.command_line import Command, Use, clerk
from tests.support.in_process import InProcess


def test_run_ends_at_its_budget(use: Use) -> None:
    adding = function_call("add", {"a": 1, "b": 2})
    command = use(InProcess([clerk(ScriptedModel([adding, "never"]))]))

    result = command("run", "clerk", "1 plus 2", "--budget", "turns=1", "--budget", "tokens=50000")

    assert result.exit_code == 1
    assert "BudgetExceeded: The run and those below it have spent 1 of the 1 turns" in result.output


def test_run_answers_at_its_budget_if_it_is_asked_to(use: Use) -> None:
    adding = function_call("add", {"a": 1, "b": 2})
    command = use(InProcess([clerk(ScriptedModel([adding, "About 3."]))]))

    result = command("run", "clerk", "1 plus 2", "--budget", "turns=1", "--answer-at-limit")

    assert result.exit_code == 0, result.output
    assert "budget spent (1 of 1 turns): answers once more, without tools" in result.stdout
    assert result.stdout.splitlines()[-1] == "About 3."


@pytest.mark.parametrize("command", ["run", "submit"])
def test_a_flow_that_is_to_answer_at_its_budget_is_refused(use: Use, command: str) -> None:
    model = ScriptedModel(["never"])
    orchestrator = use(InProcess([Flow("loop", clerk(model))]))

    result = orchestrator(command, "loop", "x", "--budget", "turns=3", "--answer-at-limit")

    assert result.exit_code == 2
    assert "Flow `loop` cannot answer at its budget's limit" in " ".join(result.output.split())
    assert model.requests == []


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--budget", "tokens"], "--budget takes a limit and a number, such as tokens=20000, not 'tokens'."),
        (["--budget", "tokens=0"], "`budget.tokens`: Input should be greater than 0"),
        (["--budget", "hours=3"], "`budget.hours`"),
        (["--answer-at-limit"], "--answer-at-limit needs a limit"),
        (["--deadline", "-1"], "deadline has passed already"),
    ],
)
def test_limits_that_make_no_sense_are_refused(busy: Command, arguments: list[str], problem: str) -> None:
    result = busy("submit", "clerk", "1 plus 2", *arguments)

    assert result.exit_code == 2
    assert problem in " ".join(result.output.split())


def test_cancel_takes_several_runs_or_a_tag(busy: Command) -> None:
    for name, tag in (("one", "night"), ("two", "night"), ("three", "day"), ("four", "day")):
        busy("submit", "clerk", "a", "--run-id", name, "--tag", tag)

    assert "Run three is being cancelled." in busy("cancel", "three", "four").stdout
    result = busy("cancel", "--tag", "night", "--reason", "enough")

    assert sorted(result.stdout.splitlines()) == ["Run one is being cancelled.", "Run two is being cancelled."]
    assert "No runs with tag 'none'." in busy("cancel", "--tag", "none").stdout


@pytest.mark.parametrize("arguments", [[], ["one", "--tag", "night"]])
def test_cancel_needs_runs_or_a_tag(busy: Command, arguments: list[str]) -> None:
    result = busy("cancel", *arguments)

    assert result.exit_code == 2
    assert "Name the runs to cancel, or a tag" in result.output


def test_retry_prints_the_new_runs_id(use: Use) -> None:
    command = use(InProcess([clerk(ScriptedModel([refusal_message("No."), "It is 3."]))]))
    command("run", "clerk", "1 plus 2", "--run-id", "mine")

    result = command("retry", "mine")

    assert result.stdout == "mine.retry1\n"
    assert "It is 3." in command("watch", "mine.retry1").stdout
    assert "Retry of: mine, of which it took over 0 turns" in command("show", "mine.retry1").stdout


def test_a_run_that_has_not_ended_is_not_retried(busy: Command) -> None:
    busy("submit", "clerk", "a", "--run-id", "mine")

    result = busy("retry", "mine")

    assert result.exit_code == 2
    assert "Run mine has not ended: cancel it first" in " ".join(result.output.split())


def test_a_run_is_paused_and_resumed(busy: Command) -> None:
    busy("submit", "clerk", "a", "--run-id", "mine")

    assert "orchestrator resume mine" in busy("pause", "mine").stdout
    assert "paused" in busy("list").stdout
    assert busy("pause", "mine").exit_code == 2
    assert "Run mine goes on." in busy("resume", "mine").stdout
    again = busy("resume", "mine")

    assert again.exit_code == 2
    assert "Run `mine` is not paused" in " ".join(again.output.split())


def test_list_shows_runs_by_tag(busy: Command) -> None:
    busy("submit", "clerk", "a", "--run-id", "one", "--tag", "night", "--tag", "eu")
    busy("submit", "clerk", "b", "--run-id", "two")

    rows = [json.loads(line) for line in busy("list", "--json", "--tag", "night").stdout.splitlines()]

    assert [(row["run_id"], row["tags"]) for row in rows] == [("one", ["night", "eu"])]
    assert "Tags: night, eu" in busy("show", "one").stdout
    assert "No runs with tag 'day'." in busy("list", "--tag", "day").stdout


def test_limits_shows_what_is_allowed_and_who_uses_it(use: Use) -> None:
    limit = Limit(model="scripted", requests_per_minute=600, per_tenant=Caps(concurrent=4), weights={"acme": 2})
    command = use(InProcess([clerk(ScriptedModel(["hello"]))], limits=[limit]))
    assert command("run", "clerk", "hi", "--tenant", "acme", "--timeout", "20").exit_code == 0

    shown, data = command("limits"), command("limits", "--json")

    assert "scripted: 600 requests a minute; each tenant 4 calls at once" in shown.stdout
    assert re.search(r"acme +2 +1 ", shown.stdout)
    [tenant] = json.loads(data.stdout)["tenants"]
    assert (tenant["tenant"], tenant["requests"]) == ("acme", 1)


def test_without_limits_limits_says_how_to_get_one(busy: Command) -> None:
    assert "create_app(limits=…)" in busy("limits").stdout
