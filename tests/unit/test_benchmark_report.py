"""Benchmarks say what was reached, and what was not."""

from __future__ import annotations

import pytest

from benchmarks.report import write_report
from benchmarks.results import OURS, Figure, Machine, Results, Section, Target

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


def test_report_shows_the_spread_of_the_rounds() -> None:
    text = report_of(figure([12, 14, 10], [20, 30, 25], Target(bound="at most", limit=20)))

    assert "| CPU a run (ms) | **12.0** (10.0 to 14.0) | 25.0 (20.0 to 30.0) |" in text
