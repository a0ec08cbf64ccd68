"""Two results are compared by more than their numbers: the machine's part is taken out."""

from __future__ import annotations

import pytest

from benchmarks.compare import write_comparison
from benchmarks.results import OURS, Figure, Machine, Results, Section
from benchmarks.side import TITLES

SDK = TITLES["agents_sdk"]


def results(commit: str, *figures: Figure) -> Results:
    machine = Machine(
        processor="a processor",
        cores=2,
        memory_gigabytes=8,
        system="Linux",
        versions={},
        commit=commit,
        began_at="today",
        work_milliseconds=[12, 14],
    )
    return Results(is_quick=False, machine=machine, sections=[Section(name="one", title="One", figures=figures)])


def figure(ours: float, sdk: float | None = None, *, unit: str = "ms", title: str = "CPU a run") -> Figure:
    rounds = {OURS: [ours]} | ({} if sdk is None else {SDK: [sdk]})
    return Figure(title=title, unit=unit, rounds=rounds)


@pytest.mark.parametrize(
    ("before", "after", "row"),
    [
        (figure(20, 40), figure(12, 40), "20.0 | 12.0 | 0.60 | 1.00 | **less**: 0.60"),
        (figure(20, 40), figure(30, 40), "20.0 | 30.0 | 1.50 | 1.00 | **more**: 1.50"),
        (figure(20, 40), figure(24, 40), "20.0 | 24.0 | 1.20 | 1.00 | a tie"),
        # The machine is twice as slow: ours did not change, and did in the second case.
        (figure(20, 40), figure(40, 80), "20.0 | 40.0 | 2.00 | 2.00 | a tie"),
        (figure(20, 40), figure(20, 80), "20.0 | 20.0 | 1.00 | 2.00 | **less**: 0.50"),
        (figure(20), figure(30), "20.0 | 30.0 | 1.50 |  | **more**: 1.50"),
        # What is counted depends on no machine.
        (figure(100, 50, unit="B"), figure(110, 55, unit="B"), "100 | 110 | 1.10 |  | **more**: 1.10"),
        (figure(40, 0, unit="runs"), figure(0, 0, unit="runs"), "40.0 | 0.00 | 0.00 |  | **less**: 0.00"),
        (figure(0, unit="calls"), figure(0, unit="calls"), "0.00 | 0.00 |  |  | a tie"),
        (figure(0, unit="calls"), figure(3, unit="calls"), "0.00 | 3.00 |  |  | from nothing"),
    ],
)
def test_change_is_judged_against_the_baselines(before: Figure, after: Figure, row: str) -> None:
    text = write_comparison(results("abc", before), results("def", after))

    assert f"| CPU a run ({before.unit}) | {row} |" in text


def test_figures_that_one_of_them_lacks_are_named() -> None:
    text = write_comparison(results("abc", figure(1, title="old")), results("def", figure(2, title="new")))

    assert "| old (ms) | 1.00 |  |  |  | only in one of them |" in text
    assert "| new (ms) |  | 2.00 |  |  | only in one of them |" in text


def test_both_commits_are_named_with_the_speed_of_their_machines() -> None:
    text = write_comparison(results("abc"), results("def"))

    assert "before: commit abc, today, 2 cores of a processor, fixed work 12.0 to 14.0 ms" in text
    assert "after: commit def" in text
