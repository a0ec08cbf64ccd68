"""Two results side by side as Markdown: what changed, and whether by more than noise."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from benchmarks.report import write_number
from benchmarks.results import OURS, Figure, Results
from benchmarks.side import TITLES

BASELINES = [title for title in TITLES.values() if title != OURS]
TIE, COUNTED_TIE = 1.3, 1.05
"""Machines change their speed by a quarter from round to round. What is counted does not depend on their speed."""
COUNTED = frozenset({"B", "calls", "commands", "ratio", "reads", "runs"})
"""Units of what is counted."""


class Change(NamedTuple):
    """How a figure moved, as factors: after by before."""

    ours: float
    baselines: float | None
    """What the machine does to code that has not changed; none: nothing to tell it by, or nothing that it does."""
    tie: float
    """What says nothing, up or down."""

    @property
    def verdict(self) -> str:
        """How our value moved against the baselines'."""
        factor = self.ours / (self.baselines or 1.0)
        if 1 / self.tie < factor < self.tie:
            return "a tie"
        return f"**{'more' if factor > 1 else 'less'}**: {factor:.2f}"


def write_comparison(before: Results, after: Results) -> str:
    """A table a scenario, of the figures that both have."""
    lines = ["# Comparison", "", f"- before: {_describe(before)}", f"- after: {_describe(after)}", ""]
    lines += [
        "Medians of celery-orchestrator, and after by before. Where the same figure was measured on baselines, their "
        f"change is the machine's, and is taken out of ours before it is judged: less than {TIE} is a tie. Of what is "
        f"counted, such as bytes and calls, less than {COUNTED_TIE}.",
        "",
    ]
    earlier = {section.name: section.figures for section in before.sections}
    for section in after.sections:
        lines += [f"## {section.title}", "", "| figure | before | after | ours | baselines | reading |"]
        lines += ["|---|---|---|---|---|---|", *_compare(earlier.get(section.name, ()), section.figures), ""]
    return "\n".join(lines).rstrip() + "\n"


def measure_change(before: Figure, after: Figure) -> Change | None:
    """How a figure moved; none where there was nothing to move from."""
    if not before.median(OURS):
        return None
    ours = after.median(OURS) / before.median(OURS)
    if after.unit in COUNTED:
        return Change(ours, None, COUNTED_TIE)
    moved = [
        after.median(side) / before.median(side)
        for side in BASELINES
        if side in before.rounds and side in after.rounds and before.median(side) > 0 and after.median(side) > 0
    ]
    return Change(ours, statistics.median(moved) if moved else None, TIE)


def _compare(before: Sequence[Figure], after: Sequence[Figure]) -> Iterator[str]:
    earlier, later = ({figure.title: figure for figure in figures} for figures in (before, after))
    for title, figure in (earlier | later).items():
        pair = earlier.get(title), later.get(title)
        values = " | ".join(write_number(one.median(OURS)) if one else "" for one in pair)
        yield f"| {title} ({figure.unit}) | {values} | {_write_change(*pair)} |"


def _write_change(before: Figure | None, after: Figure | None) -> str:
    if before is None or after is None:
        return " |  | only in one of them"
    change = measure_change(before, after)
    if change is None:
        return " |  | from nothing" if after.median(OURS) else " |  | a tie"
    baselines = "" if change.baselines is None else f"{change.baselines:.2f}"
    return f"{change.ours:.2f} | {baselines} | {change.verdict}"


def _describe(results: Results) -> str:
    machine, work = results.machine, results.machine.work_milliseconds
    speed = f", fixed work {min(work):.1f} to {max(work):.1f} ms" if work else ""
    tiny = ", tiny sizes (`--quick`)" if results.is_quick else ""
    return f"commit {machine.commit}, {machine.began_at}, {machine.cores} cores of {machine.processor}{speed}{tiny}"
