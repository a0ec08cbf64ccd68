"""Results as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.results import OURS, Figure, Machine, Results, Section, Target


def write_report(results: Results, plots: Mapping[str, Path] | None = None) -> str:
    """The page. `plots` are the files of plots by title, relative to the page."""
    lines = ["# Benchmark report", "", *_describe_machine(results), ""]
    for section in results.sections:
        lines += [*_write_section(section, plots or {}), ""]
    return "\n".join(lines).rstrip() + "\n"


def _describe_machine(results: Results) -> Iterator[str]:
    machine = results.machine
    yield (
        "Written by `python -m benchmarks --report`; [Benchmarks](benchmarks.md) says what is measured and how. "
        "Medians of the rounds, with the lowest and the highest in brackets."
    )
    if results.is_quick:
        yield "\n**Sizes were tiny (`--quick`): these figures show that everything works, and nothing else.**"
    if results.is_long:
        yield "\nWith the sizes and rounds that only `--long` measures."
    versions = ", ".join(f"{name} {number}" for name, number in machine.versions.items())
    yield f"\n- {machine.cores} cores of {machine.processor}, {machine.memory_gigabytes} GB, {machine.system}"
    yield f"- {versions}; commit {machine.commit}"
    yield f"- {machine.began_at}, {machine.seconds / 60:.0f} minutes"
    yield f"- Noise: {_describe_noise(machine)}"


def _describe_noise(machine: Machine) -> str:
    work, others = sorted(machine.work_milliseconds), sorted(machine.other_cores)
    parts = []
    if work:
        parts.append(f"a fixed piece of work took {work[0]:.1f} to {work[-1]:.1f} ms")
    if others:
        median, most = others[len(others) // 2], others[-1]
        parts.append(f"other processes kept {median:.2f} cores busy in the median round, {most:.2f} in the worst")
    return ", ".join(parts) or "not measured"


def _describe_speed(section: Section) -> str:
    work = section.work_milliseconds
    return (
        f"Meanwhile the fixed piece of work took {statistics.median(work):.1f} ms ({min(work):.1f} to "
        f"{max(work):.1f}); no figure is scaled by it. The scenario took {section.seconds:.0f} s."
    )


def _write_section(section: Section, plots: Mapping[str, Path]) -> Iterator[str]:
    yield f"## {section.title}"
    yield ""
    if section.work_milliseconds:
        yield f"{_describe_speed(section)}\n"
    sides = list(dict.fromkeys(side for figure in section.figures for side in figure.rounds))
    yield "| figure | " + " | ".join(sides) + " | to reach |"
    yield "|---|" + "---|" * (len(sides) + 1)
    for figure in section.figures:
        cells = [_write_values(figure, side) for side in sides]
        targets = "; ".join(_write_target(figure, target) for target in figure.targets)
        yield f"| {figure.title} ({figure.unit}) | " + " | ".join(cells) + f" | {targets} |"
    if any(not figure.is_reached(target) for figure in section.figures for target in figure.targets):
        yield "\nWhat stands in the way of the others: [measured](benchmarks.md#what-stands-in-the-way)."
    for note in section.notes:
        yield f"\n{note}"
    for plot in section.plots:
        if plot.title in plots:
            yield f"\n![{plot.title}]({plots[plot.title].as_posix()})"


def _write_values(figure: Figure, side: str) -> str:
    if side not in figure.rounds:
        return ""
    values = figure.rounds[side]
    median = write_number(figure.median(side))
    spread = f" ({write_number(min(values))} to {write_number(max(values))})" if len(values) > 1 else ""
    return f"**{median}**{spread}" if side == OURS else f"{median}{spread}"


def _write_target(figure: Figure, target: Target) -> str:
    against = f" of {target.against}" if target.against else ""
    verdict = "reached" if figure.is_reached(target) else "**not reached**"
    return f"{target.bound} {target.limit:g}{against}: {write_number(figure.measured(target))}, {verdict}"


def write_number(value: float) -> str:
    """Three digits that count, or all before the point."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
