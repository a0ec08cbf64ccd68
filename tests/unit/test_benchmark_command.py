"""`python -m benchmarks` says what is wrong with its options, and keeps what it has measured."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks.bench import Bench, in_turns
from benchmarks.environment import forget_settings
from benchmarks.machine import describe_machine
from benchmarks.results import OURS, Figure, Results, Section


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Scenarios that measure nothing: `good`, and `bad`, which fails. Returns what was run."""
    ran: list[str] = []

    def good(bench: Bench) -> Section:
        ran.append("good")
        return Section(name="good", title="Good", figures=[Figure(title="time", unit="s", rounds={OURS: [1.0]})])

    def bad(bench: Bench) -> Section:
        raise AssertionError("a scenario failed")

    monkeypatch.setattr(command, "SCENARIOS", {"good": good, "bad": bad})
    monkeypatch.setattr(command, "Model", nullcontext)
    monkeypatch.setattr(command, "forget_settings", lambda environment: None)
    return ran


def run(monkeypatch: pytest.MonkeyPatch, *options: str) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", *options])
    command.main()


def test_scenario_that_is_named_twice_is_run_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, measured: list[str]
) -> None:
    run(monkeypatch, "--only", "good", "--only", "good", "--data", str(tmp_path))

    assert measured == ["good"]


def test_what_was_measured_before_a_failure_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, measured: list[str]
) -> None:
    with pytest.raises(AssertionError, match="a scenario failed"):
        run(monkeypatch, "--data", str(tmp_path))

    (kept,) = tmp_path.iterdir()
    assert [section.name for section in Results.model_validate_json(kept.read_text()).sections] == ["good"]


def test_kept_results_are_compared(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, measured: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "--only", "good", "--data", str(tmp_path))
    (kept,) = map(str, tmp_path.iterdir())

    run(monkeypatch, "--of", kept, "--against", kept)

    assert "| time (s) | 1.00 | 1.00 | 1.00 |  | a tie |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--only", "nonsense"), "invalid choice: 'nonsense'"),
        (("--of", "missing.json"), "argument --of: cannot read missing.json: No such file"),
        (("--against", "missing.json"), "argument --against: cannot read missing.json: No such file"),
        (("--of", "other.json"), "other.json does not hold results of `python -m benchmarks`"),
        (("--of", "results.json", "--quick"), "--of measures nothing"),
    ],
)
def test_wrong_options_are_named(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("other.json").write_text("{}", encoding="utf-8")
    machine = describe_machine()
    Path("results.json").write_text(
        Results(is_quick=True, machine=machine, sections=[]).model_dump_json(), encoding="utf-8"
    )

    with pytest.raises(SystemExit):
        run(monkeypatch, *options)

    assert message in capsys.readouterr().err


def test_callers_settings_reach_no_side() -> None:
    environment = {
        "ORCHESTRATOR_LEDGER_URL": "redis://production/0",
        "OPENAI_LOG": "debug",
        "HTTPS_PROXY": "http://proxy",
        "no_proxy": "localhost",
        "PATH": "/bin",
    }

    forget_settings(environment)

    assert environment == {"PATH": "/bin"}


def test_every_round_begins_with_another_side() -> None:
    turns = list(in_turns(["a", "b", "c"], 4))

    assert [side for _, side in turns] == [*"abc", *"bca", *"cab", *"abc"]
    assert [number for number, _ in turns] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
