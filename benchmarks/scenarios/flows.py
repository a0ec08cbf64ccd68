"""What code orchestrates: agents side by side, one after the other, and in rounds with an evaluator."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.apps.workloads import REFINE_ROUNDS, SEQUENCE_LENGTH
from benchmarks.bench import Bench
from benchmarks.drivers.loop import Order
from benchmarks.model_server import Behaviour
from benchmarks.results import Figure, Plot, Section, Target, at_most
from benchmarks.side import TITLES, Round, Side, SideName

WIDTHS = (10, 100, 1000)
SLOW_WIDTH, SLOW_SECONDS = 200, 0.5
REPEATED_AGENTS = 100
LINKS = 50
SEQUENCES = 100
SIDES: tuple[SideName, ...] = ("ours", "agents_sdk", "plain_celery")
ALONE = "the same agents, each submitted by itself"

Found = dict[str, list[Round]]
"""Side to its rounds."""


@dataclass(frozen=True)
class Shape:
    """One thing to orchestrate."""

    title: str
    order: Order
    agents: int
    """Agents that run in it, each with one model call."""
    rounds: int
    repeats: int = 1
    """How often the order has it done, one after the other."""
    latency_seconds: float = 0.0
    """How long the model takes for a call."""
    alone: Order | None = None
    """The same agents of ours without a flow, measured in the same round."""
    time_targets: tuple[Target, ...] = ()
    cpu_targets: tuple[Target, ...] = ()

    @property
    def agents_at_once(self) -> int:
        """Agents whose calls are in flight together, as far as the shape has it."""
        return self.order.width if self.order.workload == "fan_out" else self.order.in_flight


def run(bench: Bench) -> Section:
    """Every shape on every side, in turns."""
    shapes = list(all_shapes(bench))
    with bench.open_sides("flows", SIDES, workers=2, concurrency=200) as opened:
        sides = opened.start()
        bench.warm_up(sides, bench.size(2 * SLOW_WIDTH, 2))
        found = {shape.title: measure(bench, shape, sides) for shape in shapes}
    return describe(shapes, found, bench.describe_left_out())


def measure(bench: Bench, shape: Shape, sides: list[Side]) -> Found:
    """A shape's rounds: all sides that it is measured on take turns."""
    found: Found = defaultdict(list)
    covered = [side for side in sides if bench.covers(side.name, shape.agents_at_once)]
    for _, side in bench.take_turns(covered, shape.rounds):
        bench.say(f"flows: {shape.title}, {side.name}")
        found[TITLES[side.name]].append(measure_order(bench, side, shape, shape.order))
        if shape.alone and side.name == "ours":
            found[ALONE].append(measure_order(bench, side, shape, shape.alone))
    return found


def measure_order(bench: Bench, side: Side, shape: Shape, order: Order) -> Round:
    """One round; the model has to have been called once an agent."""
    bench.model.behave(Behaviour(latency_seconds=shape.latency_seconds))
    measured = bench.note(side.measure(order))
    bench.check_calls(side, shape.agents)
    return measured


def all_shapes(bench: Bench) -> Iterator[Shape]:
    """What is measured."""
    for width in bench.sizes(WIDTHS, (2, 4), long=WIDTHS):
        # A few agents are done in less than a tenth of a second.
        repeats = bench.size(max(1, REPEATED_AGENTS // width), 1)
        order, rounds = fan_out(width, repeats), bench.size(3, 1)
        yield Shape(f"{width:,} agents side by side", order, width * repeats, rounds, repeats)
    width = bench.size(SLOW_WIDTH, 3)
    yield Shape(
        f"{width} side by side, calls of {1000 * SLOW_SECONDS:.0f} ms",
        fan_out(width),
        width,
        bench.size(3, 1, long=5),
        latency_seconds=SLOW_SECONDS,
        time_targets=(at_most(2.5),),
    )
    runs, in_flight = bench.size(SEQUENCES, 2), bench.size(20, 2)
    yield Shape(
        f"{runs} sequences of {SEQUENCE_LENGTH}",
        Order("sequence", runs=runs, in_flight=in_flight, width=SEQUENCE_LENGTH),
        runs * SEQUENCE_LENGTH,
        bench.size(3, 1, long=5),
        alone=Order("answer", runs=runs * SEQUENCE_LENGTH, in_flight=in_flight),
        cpu_targets=(at_most(1.3, ALONE),),
    )
    links = bench.size(LINKS, 3)
    yield Shape(f"a chain of {links}", Order("chain", runs=1, in_flight=1, width=links), links, bench.size(3, 1))
    refine = Order("refine", runs=1, in_flight=1)
    yield Shape(f"refine, {REFINE_ROUNDS} rounds", refine, 2 * REFINE_ROUNDS, bench.size(3, 1))


def fan_out(width: int, repeats: int = 1) -> Order:
    """So many agents side by side."""
    return Order("fan_out", runs=repeats, in_flight=1, width=width)


def describe(shapes: list[Shape], found: dict[str, Found], left_out: list[str]) -> Section:
    """Time and CPU of each shape; CPU an agent over the width."""
    figures = []
    for shape in shapes:
        seconds = {
            side: [one.driven.seconds / shape.repeats for one in rounds] for side, rounds in found[shape.title].items()
        }
        cpu = _cpu(shape, found)
        figures.append(Figure(title=f"{shape.title}: all done", unit="s", rounds=seconds, targets=shape.time_targets))
        figures.append(Figure(title=f"{shape.title}: CPU an agent", unit="ms", rounds=cpu, targets=shape.cpu_targets))
    fans = [shape for shape in shapes if shape.order.workload == "fan_out" and not shape.latency_seconds]
    costs = [_cpu(shape, found) for shape in fans]
    lines = {
        TITLES[name]: [statistics.median(cpu[TITLES[name]]) for cpu in costs if TITLES[name] in cpu] for name in SIDES
    }
    widths = [shape.order.width for shape in fans]
    return Section(
        name="flows",
        title="Flows: side by side, in a sequence, in rounds",
        figures=figures,
        notes=[
            "Ours are flows (`each`, `sequence`, `refine`) and Celery's own `chain`; each agent is a run and a task of "
            "its own. Plain Celery has a chord, chains, and for `refine` the whole loop in one task. Of the Agents "
            "SDK, nothing is distributed or durable.",
            *left_out,
        ],
        plots=[Plot(title="CPU an agent in a fan-out", x_title="agents", y_title="ms", x=widths, lines=lines)],
    )


def _cpu(shape: Shape, found: dict[str, Found]) -> dict[str, list[float]]:
    return {
        side: [1000 * one.cpu_seconds / shape.agents for one in rounds] for side, rounds in found[shape.title].items()
    }
