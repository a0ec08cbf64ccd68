"""The chaos round's option and its table of figures."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chaos.audit import Figures

SHORT_ROUND_RUNS = 40
_OUTCOMES = ("passed", "failed", "xpassed", "xfailed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--chaos-runs", type=int, default=SHORT_ROUND_RUNS, help="how many runs to submit while things are killed"
    )


@pytest.fixture
def chaos_runs(request: pytest.FixtureRequest) -> int:
    # Pytest knows the option only if it was given this folder.
    runs: int = request.config.getoption("--chaos-runs", default=SHORT_ROUND_RUNS)
    return runs


@pytest.fixture
def print_figures(record_property: Any) -> Any:
    """Takes figures; they are printed when all tests are done."""

    def take(title: str, figures: Figures) -> None:
        record_property("figures", (title, figures))

    return take


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [report for outcome in _OUTCOMES for report in terminalreporter.stats.get(outcome, [])]
    tables = [value for report in reports for name, value in report.user_properties if name == "figures"]
    for title, figures in tables:
        terminalreporter.section(title)
        for name, value in figures.items():
            terminalreporter.write_line(f"{name:<32}{value}")
