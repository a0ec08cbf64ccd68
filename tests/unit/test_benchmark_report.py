"""Benchmarks say what was reached, and what was not."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.plots import draw_plots
from benchmarks.report import write_report
from benchmarks.results import OURS, Figure, Machine, Plot, Results, Section, Target

MACHINE = Machine(
    processor="a processor", cores=2, memory_gigabytes=8, system="Linux", versions={}, commit="abc", began_at="today"
)


def figure(ours: list[float], theirs: list[float], target: Target) -> Figure:
    return Figure(title="CPU a run", unit="ms", rounds={OURS: ours, "another": theirs}, targets=[target])


def report_of(*figures: Figure) -> str:
    section = Section(name="one", title="One scenario", figures=figures)
    return write_report(Results(is_quick=False, machine=MACHINE, sections=[section]))


def test_ratios_are_taken_round_by_round() -> None:
    # The machine was five times slower in the second round, for both.
    measured = figure([10, 50, 11], [20, 100, 22], Target(bound="at most", limit=0.5, against="another"))

    assert measured.measured(measured.targets[0]) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("target", "verdict"),
    [
        (Target(bound="at most", limit=20), "at most 20: 12.0, reached"),
        (Target(bound="at most", limit=10), "at most 10: 12.0, **not reached**"),
        (Target(bound="at least", limit=10), "at least 10: 12.0, reached"),
        (Target(bound="at most", limit=0.5, against="another"), "at most 0.5 of another: 0.60, **not reached**"),
    ],
)
def test_report_says_whether_a_target_is_reached(target: Target, verdict: str) -> None:
    text = report_of(figure([12, 12], [20, 20], target))

    assert f"| {verdict} |" in text
    assert ("what-stands-in-the-way" in text) == ("not reached" in verdict)


def test_report_says_how_fast_the_machine_was_beside_figures_as_they_were_measured() -> None:
    measured = figure([12], [20], Target(bound="at most", limit=20))
    section = Section(name="one", title="One", figures=[measured], seconds=61.2, work_milliseconds=[14, 28, 15])

    text = write_report(Results(is_quick=False, is_long=True, machine=MACHINE, sections=[section]))

    assert "work took 15.0 ms (14.0 to 28.0); no figure is scaled by it. The scenario took 61 s." in text
    assert "| CPU a run (ms) | **12.0** | 20.0 |" in text
    assert "`--long`" in text


def test_plot_ends_a_line_where_a_side_was_not_measured(tmp_path: Path) -> None:
    plot = Plot(title="Memory", x_title="runs", y_title="MB", x=[1, 2, 3], lines={OURS: [1, 2, 3], "another": [1, 2]})
    section = Section(name="one", title="One", figures=[], plots=[plot])

    drawn = draw_plots(Results(is_quick=False, machine=MACHINE, sections=[section]), tmp_path)

    assert drawn["Memory"].read_text(encoding="utf-8").startswith("<?xml")


def test_report_shows_the_spread_of_the_rounds() -> None:
    text = report_of(figure([12, 14, 10], [20, 30, 25], Target(bound="at most", limit=20)))

    assert "| CPU a run (ms) | **12.0** (10.0 to 14.0) | 25.0 (20.0 to 30.0) |" in text
