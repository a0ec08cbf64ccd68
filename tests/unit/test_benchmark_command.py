"""`python -m benchmarks` says what is wrong with its options, and keeps what it has measured."""

from __future__ import annotations

import re
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks.bench import Bench, in_turns
from benchmarks.environment import forget_settings
from benchmarks.machine import describe_machine
from benchmarks.model import Model
from benchmarks.results import OURS, Figure, Results, Section
from benchmarks.side import SideName


@pytest.fixture(autouse=True)
def fixed_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is always as fast, so that nothing has to be timed."""
    monkeypatch.setattr("benchmarks.bench.time_fixed_work", lambda: 14.0)


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


def test_each_scenario_says_how_long_it_took_and_how_fast_the_machine_was(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, measured: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "--only", "good", "--long", "--data", str(tmp_path))

    (kept,) = tmp_path.iterdir()
    results = Results.model_validate_json(kept.read_text())
    assert results.is_long
    (section,) = results.sections
    assert section.seconds > 0
    assert section.work_milliseconds == [14.0, 14.0]
    assert re.search(r"^good: [0-9]+ s in all$", capsys.readouterr().err, re.M)


def test_part_of_the_scenarios_is_not_written_over_a_whole_report(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, measured: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    page, data = tmp_path / "report.md", tmp_path / "data"
    run(monkeypatch, "--only", "good", "--data", str(data), "--report", str(page))
    (kept,) = map(str, data.iterdir())
    before = page.read_text()

    for source in (["--only", "good"], ["--of", kept]):
        with pytest.raises(SystemExit):
            run(monkeypatch, *source, "--data", str(data), "--report", str(page))

        assert "report.md exists, and would lose what it says of bad: measure every" in capsys.readouterr().err
    assert page.read_text() == before
    assert measured == ["good"]


def test_machine_without_git_is_described(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("benchmarks.machine._versions", dict)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert describe_machine().commit == "unknown"


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
        (("--of", "results.json", "--long"), "--of measures nothing"),
        (("--quick", "--long"), "argument --long: not allowed with argument --quick"),
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


def test_speed_of_the_machine_is_seen_before_each_round(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Model())

    timed = [len(bench.work_milliseconds) for _ in bench.take_turns(["a", "b"], 3)]

    assert timed == [1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize(("is_long", "covered"), [(False, [True, True, False]), (True, [True, True, True])])
def test_sdk_with_more_at_once_than_its_loop_bears_is_left_to_long(
    tmp_path: Path, is_long: bool, covered: list[bool]
) -> None:
    bench = Bench(tmp_path, Model(), is_long=is_long)

    sides: list[tuple[SideName, int]] = [("ours", 2000), ("agents_sdk", 500), ("agents_sdk", 501)]

    assert [bench.covers(side, at_once) for side, at_once in sides] == covered
