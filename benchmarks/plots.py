"""Draws plots as SVG files, the same bytes for the same data."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure as Canvas

from benchmarks.results import Plot, Results

mpl.rcParams["svg.hashsalt"] = "benchmarks"


def draw_plots(results: Results, folder: Path) -> dict[str, Path]:
    """One file a plot; returns them by title."""
    folder.mkdir(parents=True, exist_ok=True)
    return {plot.title: _draw(plot, folder) for plot in _all_plots(results)}


def _all_plots(results: Results) -> Iterable[Plot]:
    return (plot for section in results.sections for plot in section.plots)


def _draw(plot: Plot, folder: Path) -> Path:
    canvas = Canvas(figsize=(7, 3.5), layout="constrained")
    axes = canvas.add_subplot()
    for name, values in plot.lines.items():
        axes.plot(plot.x[: len(values)], values, marker="o", label=name)
    axes.set(title=plot.title, xlabel=plot.x_title, ylabel=plot.y_title)
    if plot.is_logarithmic:
        axes.set(xscale="log", yscale="log")
    else:
        axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend()
    path = folder / f"{re.sub(r'[^a-z0-9]+', '-', plot.title.lower()).strip('-')}.svg"
    canvas.savefig(path, metadata={"Date": None})
    return path
