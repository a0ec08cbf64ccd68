"""Commands on an app in this process: output, exit codes, errors as one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.agent import Agent
from orchestrator.cli import app
from orchestrator.cli.commands_stack import entry_name, main_names
from orchestrator.errors import LedgerUnavailable
from orchestrator.testing import ScriptedModel
from tests.support.command_line import Command, Use, clerk
from tests.support.in_process import InProcess


def test_run_watches_and_prints_the_answer(sums: Command) -> None:
    result = sums("run", "clerk", "1", "plus", "2")

    assert result.exit_code == 0, result.output
    assert "input: 1 plus 2" in result.stdout
    assert "add returned" in result.stdout
    assert result.stdout.splitlines()[-1] == "It is 3."


def test_run_prints_json_lines_alone(sums: Command) -> None:
    result = sums("run", "--json", "clerk", "1 plus 2")

    events = [json.loads(line) for line in result.stdout.splitlines()]

    assert [event["type"] for event in events] == [
        "input",
        "invocation",
        "reply",
        "started",
        "output",
        "reply",
        "outcome",
    ]
    assert events[-1]["entry"]["output"] == "It is 3."


def test_a_failed_run_exits_with_1_and_says_why(use: Use) -> None:
    shop = use(InProcess([clerk(ScriptedModel([RuntimeError("no power")]))]))

    result = shop("run", "clerk", "hello")

    assert result.exit_code == 1
    assert "RuntimeError: no power" in result.stderr


def test_a_run_that_takes_too_long_exits_with_5_and_goes_on(busy: Command) -> None:
    result = busy("run", "clerk", "hello", "--run-id", "slow", "--timeout", "0.2")

    assert result.exit_code == 5
    assert "orchestrator watch slow" in result.stderr
    assert json.loads(busy("list", "--json").stdout)["state"] == "queued"


def test_submit_prints_the_id_alone(busy: Command) -> None:
    assert busy("submit", "clerk", "hello", "--run-id", "mine").stdout == "mine\n"
    assert json.loads(busy("submit", "clerk", "hello", "--json").stdout)["agent"] == "clerk"


def test_submit_reads_standard_input(busy: Command) -> None:
    busy("submit", "clerk", "-", "--run-id", "mine", input="from a pipe")

    assert "Input: from a pipe" in busy("show", "mine").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["submit", "clark", "hi"], "No agent or flow `clark`"),
        (["submit", "clark", "hi"], "Did you mean `clerk`?"),
        (["submit", "clerk", "hi", "--context", "{"], "--context is not JSON"),
        (["submit", "clerk", "hi", "--context", "[]"], "must be a JSON object"),
        (["submit", "clerk", " "], "The input is empty"),
        (["submit", "clerk", "hi", "--run-id", "a/b"], "A run id is"),
        (["watch", "nope"], "There is no run 'nope'"),
        (["show", "nope"], "There is no run 'nope'"),
        (["cancel", "nope"], "There is no run 'nope'"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(busy: Command, arguments: list[str], said: str) -> None:
    result = busy(*arguments)

    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_graph_draws_what_the_app_has(busy: Command, tmp_path: Path) -> None:
    picture = tmp_path / "clerk.svg"

    assert busy("graph", "clerk").stdout.startswith("flowchart TD")
    assert busy("graph", "clerk", "--output", str(picture)).stdout == f"Wrote {picture}.\n"
    assert picture.read_text().startswith("<svg")
    assert busy("graph", "clark").exit_code == 2


def test_an_agent_that_workers_alone_have_loaded_is_submitted_to_their_queue(
    use: Use,
) -> None:
    shop = InProcess([clerk(ScriptedModel([]))], is_busy=True)
    shop.announce("agents.porter", worker="w1@host", queue="doors")
    command = use(shop)

    result = command("submit", "porter", "hello", "--run-id", "mine")

    assert result.exit_code == 0, result.output
    assert shop.run("mine").summary().queue == "doors"


def test_the_ledger_out_of_reach_is_exit_code_3_with_the_remedy(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = InProcess([])

    async def refuse() -> None:
        raise LedgerUnavailable("It cannot be reached. Start one with `orchestrator up`.")

    monkeypatch.setattr(shop.ledger, "ping", refuse)

    result = use(shop)("list")

    assert result.exit_code == 3
    assert result.stderr == "error: It cannot be reached. Start one with `orchestrator up`.\n"


def test_a_cancelled_run_ends_with_exit_code_4(use: Use) -> None:
    shop = InProcess([clerk(ScriptedModel([]))])
    command = use(shop)
    shop._is_busy = True
    command("submit", "clerk", "hello", "--run-id", "mine")
    shop.run("mine").cancel()
    shop._is_busy = False
    command("submit", "clerk", "hello", "--run-id", "mine")  # the same run: its message once more

    result = command("watch", "mine")

    assert result.exit_code == 4
    assert "cancelled" in result.stdout


def test_show_prints_tree_answer_and_usage(sums: Command) -> None:
    sums("run", "clerk", "1 plus 2", "--run-id", "mine")

    result = sums("show", "mine")

    assert result.exit_code == 0
    for part in ("step 1  clerk  on here@host", "✓ add(a=1, b=2)", "Input: 1 plus 2", "It is 3.", "2 model calls"):
        assert part in result.stdout


def test_list_shows_the_newest_run_first(busy: Command) -> None:
    assert "No runs yet" in busy("list").stdout
    for run_id in ("one", "two"):
        busy("submit", "clerk", "hello", "--run-id", run_id)

    lines = busy("list").stdout.splitlines()

    assert [line.split()[0] for line in lines] == ["RUN", "two", "one"]


def test_doctor_says_what_is_wrong_with_the_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(app, ["-A", "not_there_at_all", "doctor", "--json"])

    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert found["ok"] is False
    assert "There is no module `not_there_at_all`" in found["checks"][0]["text"]


def test_a_missing_app_is_exit_code_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(app, ["-A", "not_there_at_all", "list"])

    assert result.exit_code == 2
    assert "not_there_at_all" in result.stderr


@pytest.mark.parametrize("command", ["up", "submit", "run", "watch", "show", "list", "cancel", "demo", "doctor"])
def test_every_command_documents_its_exit_codes(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])

    assert result.exit_code == 0
    assert "Exit codes:" in result.stdout


def test_names_that_are_parts_of_others_are_left_out_of_a_list() -> None:
    names = ["blog", "blog.critic", "support.triage", "airline", "airline.seats"]

    assert main_names(names) == ["airline", "blog", "support.triage"]


def test_the_example_is_what_nothing_else_reaches() -> None:
    orders = Agent("orders")
    triage = Agent("triage", handoffs=[orders])
    orders.handoffs.append(triage)
    desk = Agent("welcome", tools=[triage.as_tool()])

    assert entry_name(["orders", "triage", "welcome"], [orders, triage, desk]) == "welcome"
    assert entry_name(["orders", "triage"], [orders, triage]) == "orders"
