"""What code orchestrates: agents side by side, one after the other, and in rounds with an evaluator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.apps.workloads import REFINE_ROUNDS
from benchmarks.bench import Bench
from benchmarks.drivers.loop import Order
from benchmarks.model_server import Behaviour
from benchmarks.results import Figure, Plot, Section
from benchmarks.side import TITLES, Round, SideName

WIDTHS = (10, 100, 1000)
LINKS = 50
SIDES: tuple[SideName, ...] = ("ours", "agents_sdk", "plain_celery")


@dataclass(frozen=True)
class Shape:
    """One thing to orchestrate."""

    title: str
    order: Order
    agents: int
    """Agents that run in it, each with one model call."""
    rounds: int


def run(bench: Bench) -> Section:
    """Every shape on every side, in turns."""
    shapes = list(all_shapes(bench))
    found: dict[str, dict[str, list[Round]]] = {shape.title: {TITLES[name]: [] for name in SIDES} for shape in shapes}
    bench.model.behave(Behaviour())
    with bench.open_sides("flows", SIDES, workers=2, concurrency=200) as opened:
        sides = opened.start()
        for side in sides:
            side.measure(Order("answer", runs=bench.size(50, 2), in_flight=8))
        for shape in shapes:
            for _ in range(shape.rounds):
                for side in sides:
                    bench.say(f"flows: {shape.title}, {side.name}")
                    found[shape.title][TITLES[side.name]].append(bench.note(side.measure(shape.order)))
    return describe(shapes, found)


def all_shapes(bench: Bench) -> Iterator[Shape]:
    """What is measured."""
    for width in bench.sizes(WIDTHS, (2, 4)):
        order = Order("fan_out", runs=1, in_flight=1, width=width)
        yield Shape(f"{width:,} agents side by side", order, width, bench.size(3 if width < 1000 else 1, 1))
    links = bench.size(LINKS, 3)
    yield Shape(f"a chain of {links}", Order("chain", runs=1, in_flight=1, width=links), links, bench.size(3, 1))
    refine = Order("refine", runs=1, in_flight=1)
    yield Shape(f"refine, {REFINE_ROUNDS} rounds", refine, 2 * REFINE_ROUNDS, 1)


def describe(shapes: list[Shape], found: dict[str, dict[str, list[Round]]]) -> Section:
    """Time and CPU of each shape; CPU an agent over the width."""
    figures = []
    for shape in shapes:
        seconds = {side: [one.driven.seconds for one in rounds] for side, rounds in found[shape.title].items()}
        figures.append(Figure(title=f"{shape.title}: all done", unit="s", rounds=seconds))
        figures.append(Figure(title=f"{shape.title}: CPU an agent", unit="ms", rounds=_cpu(shape, found)))
    fans = [shape for shape in shapes if shape.order.workload == "fan_out"]
    lines = {
        side: [figure_median(_cpu(shape, found)[side]) for shape in fans] for side in map(TITLES.__getitem__, SIDES)
    }
    widths = [shape.agents for shape in fans]
    return Section(
        name="flows",
        title="Flows: side by side, in a chain, in rounds",
        figures=figures,
        notes=[
            "Ours are flows (`each`, `refine`) and Celery's own `chain`; each agent is a run and a task of its own. "
            "Plain Celery has a chord, a chain, and for `refine` the whole loop in one task. Of the Agents SDK, "
            "nothing is distributed or durable."
        ],
        plots=[Plot(title="CPU an agent in a fan-out", x_title="agents", y_title="ms", x=widths, lines=lines)],
    )


def figure_median(values: list[float]) -> float:
    """The middle one."""
    return sorted(values)[len(values) // 2]


def _cpu(shape: Shape, found: dict[str, dict[str, list[Round]]]) -> dict[str, list[float]]:
    return {
        side: [1000 * one.cpu_seconds / shape.agents for one in rounds] for side, rounds in found[shape.title].items()
    }
