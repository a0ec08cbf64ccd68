"""Commands on an app in this process: output, exit codes, errors as one line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from orchestrator.agent import Agent
from orchestrator.cli import app
from orchestrator.cli.commands_stack import main_names
from orchestrator.errors import LedgerUnavailable
from orchestrator.limits import Caps, Limit
from orchestrator.models.base import Model
from orchestrator.testing import ScriptedModel, function_call, refusal_message
from orchestrator.tool import function_tool
from tests.support.in_process import InProcess

Command = Callable[..., Result]


@function_tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def clerk(model: Model) -> Agent[object]:
    return Agent("clerk", model=model, tools=[add])


@pytest.fixture
def use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[InProcess], Command]:
    """Makes commands work with an app in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ORCHESTRATOR_REDIS_URL", raising=False)

    def prepare(shop: InProcess) -> Command:
        monkeypatch.setattr("orchestrator.cli.workspace.load_app", lambda named: shop.as_loaded())
        return lambda *arguments, **options: CliRunner().invoke(app, list(arguments), **options)

    return prepare


@pytest.fixture
def sums(use: Callable[[InProcess], Command]) -> Command:
    """A shop with a clerk who adds, once."""
    return use(InProcess([clerk(ScriptedModel([function_call("add", {"a": 1, "b": 2}), "It is 3."]))]))


@pytest.fixture
def busy(use: Callable[[InProcess], Command]) -> Command:
    """A shop where nobody has time."""
    return use(InProcess([clerk(ScriptedModel([]))], is_busy=True))


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


def test_a_failed_run_exits_with_1_and_says_why(use: Callable[[InProcess], Command]) -> None:
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
    use: Callable[[InProcess], Command],
) -> None:
    shop = InProcess([clerk(ScriptedModel([]))], is_busy=True)
    shop.announce("agents.porter", worker="w1@host", queue="doors")
    command = use(shop)

    result = command("submit", "porter", "hello", "--run-id", "mine")

    assert result.exit_code == 0, result.output
    assert shop.run("mine").summary().queue == "doors"


def test_the_ledger_out_of_reach_is_exit_code_3_with_the_remedy(
    use: Callable[[InProcess], Command], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = InProcess([])

    async def refuse() -> None:
        raise LedgerUnavailable("It cannot be reached. Start one with `orchestrator up`.")

    monkeypatch.setattr(shop.ledger, "ping", refuse)

    result = use(shop)("list")

    assert result.exit_code == 3
    assert result.stderr == "error: It cannot be reached. Start one with `orchestrator up`.\n"


def test_a_cancelled_run_ends_with_exit_code_4(use: Callable[[InProcess], Command]) -> None:
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


def test_run_ends_at_its_budget(use: Callable[[InProcess], Command]) -> None:
    adding = function_call("add", {"a": 1, "b": 2})
    command = use(InProcess([clerk(ScriptedModel([adding, "never"]))]))

    result = command("run", "clerk", "1 plus 2", "--budget", "turns=1", "--budget", "tokens=50000")

    assert result.exit_code == 1
    assert "BudgetExceeded: The run and those below it have spent 1 of the 1 turns" in result.output


def test_run_answers_at_its_budget_if_it_is_asked_to(use: Callable[[InProcess], Command]) -> None:
    adding = function_call("add", {"a": 1, "b": 2})
    command = use(InProcess([clerk(ScriptedModel([adding, "About 3."]))]))

    result = command("run", "clerk", "1 plus 2", "--budget", "turns=1", "--answer-at-limit")

    assert result.exit_code == 0, result.output
    assert "budget spent (1 of 1 turns): answers once more, without tools" in result.stdout
    assert result.stdout.splitlines()[-1] == "About 3."


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


def test_retry_prints_the_new_runs_id(use: Callable[[InProcess], Command]) -> None:
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


def test_limits_shows_what_is_allowed_and_who_uses_it(use: Callable[[InProcess], Command]) -> None:
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
