"""What one more turn costs as the conversation grows: CPU, and bytes to Redis."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from dataclasses import dataclass

from benchmarks.bench import Bench
from benchmarks.drivers.loop import Order, conversation
from benchmarks.model_server import Behaviour
from benchmarks.results import OURS, Figure, Plot, Section, at_most
from benchmarks.side import TITLES, Side

SDK = TITLES["agents_sdk"]
CHECKPOINT = "a checkpoint of the conversation"
TURNS = 10
SIZES = (10, 200, 1000)
LONG_SIZES = (10, 100, 200, 500, 1000)
CALLED_AT = 200
"""Items of the conversation in the figure for one model call."""


@dataclass(frozen=True)
class Cost:
    """What a side's turn costs."""

    cpu_milliseconds: float
    server_bytes: float = 0.0


Values = dict[str, list[list[float]]]
"""Side to what was measured at each size, in each round."""


def run(bench: Bench) -> Section:
    """The difference between runs of eleven turns and of one, a tenth of it: a turn with its tool call."""
    sizes = bench.sizes(SIZES, (2, 20), long=LONG_SIZES)
    turns: dict[str, list[list[Cost]]] = {OURS: [], SDK: []}
    calls: dict[str, list[float]] = defaultdict(list)
    with bench.open_sides("turns", ["ours", "agents_sdk"], workers=1, concurrency=50) as opened:
        sides = opened.start()
        for side in sides:
            side.measure(Order("turns", runs=2, in_flight=1))
        for items in sizes:
            for of_side in turns.values():
                of_side.append([])
            for number, side in bench.take_turns(sides, bench.size(3, 1)):
                bench.say(f"turns: {items} items, round {number + 1}, {side.name}")
                turns[TITLES[side.name]][-1].append(measure_turn(bench, side, items))
        for side in sides:
            measure_model_call(bench, side)
        for _, side in bench.take_turns(sides, bench.size(3, 1)):
            calls[TITLES[side.name]].append(measure_model_call(bench, side))
    return describe(list(sizes), turns, calls)


def measure_turn(bench: Bench, side: Side, items: int) -> Cost:
    """One more turn on a conversation of so many items."""
    # Half a second of CPU, or one run. Ours has enough of them to tell a turn's bytes from those of batched events.
    runs = bench.size(20 if side.name == "ours" else max(1, 40 // items), 1)
    bench.model.behave(Behaviour())
    costs = []
    for workload in ("answer", "turns"):
        before = received_bytes(side)
        measured = bench.note(side.measure(Order(workload, runs=runs, in_flight=4, items=items)))
        costs.append(Cost(measured.cpu_milliseconds, (received_bytes(side) - before) / runs))
    one, eleven = costs
    return Cost(
        (eleven.cpu_milliseconds - one.cpu_milliseconds) / TURNS, (eleven.server_bytes - one.server_bytes) / TURNS
    )


def measure_model_call(bench: Bench, side: Side) -> float:
    """CPU milliseconds of the driver, which calls the model itself, without a run."""
    runs = bench.size(50 if side.name == "ours" else 5, 2)
    order = Order("model_call", runs=runs, in_flight=1, items=bench.size(CALLED_AT, 20))
    return bench.note(side.measure(order)).cpu_by_role()["driver"]


def received_bytes(side: Side) -> int:
    """All that the side's server has been sent so far."""
    return int(side.server_info("stats")["total_net_input_bytes"]) if side.stack else 0


def checkpoint_bytes(items: int) -> float:
    """What a system sends that stores the conversation after each turn, calculated."""
    return len(json.dumps(conversation(0, items)))


def describe(sizes: list[int], turns: dict[str, list[list[Cost]]], calls: dict[str, list[float]]) -> Section:
    """The figures at both ends, and the lines between."""
    small, large = sizes[0], sizes[-1]
    cpu: Values = {
        side: [[cost.cpu_milliseconds for cost in costs] for costs in of_side] for side, of_side in turns.items()
    }
    sent: Values = {
        OURS: [[cost.server_bytes for cost in costs] for costs in turns[OURS]],
        CHECKPOINT: [[checkpoint_bytes(size)] for size in sizes],
    }
    growth = {
        side: [most / least for least, most in zip(values[0], values[-1], strict=True)] for side, values in sent.items()
    }
    return Section(
        name="turns",
        title="A turn of a long conversation",
        figures=[
            Figure(title=f"CPU of a model call, {CALLED_AT} items", unit="ms", rounds=calls, targets=[at_most(3)]),
            _figure(f"CPU of a turn with a tool call, {small} items", "ms", cpu, 0),
            _figure(f"CPU of a turn with a tool call, {large:,} items", "ms", cpu, -1),
            _figure(f"bytes to Redis a turn, {small} items", "B", sent, 0),
            _figure(f"bytes to Redis a turn, {large:,} items", "B", sent, -1),
            Figure(
                title=f"bytes a turn, {large:,} to {small} items", unit="ratio", rounds=growth, targets=[at_most(1.1)]
            ),
        ],
        notes=[
            "A turn is a tenth of the difference between runs of eleven model calls and of one. It includes all "
            "processes: model call, tool call, ledger. The checkpoint is calculated, not measured: the conversation "
            "as JSON."
        ],
        plots=[
            Plot(
                title="CPU of a turn", x_title="items", y_title="ms", x=sizes, lines=_medians(cpu), is_logarithmic=True
            ),
            Plot(
                title="Bytes to Redis a turn",
                x_title="items",
                y_title="bytes",
                x=sizes,
                lines=_medians(sent),
                is_logarithmic=True,
            ),
        ],
    )


def _figure(title: str, unit: str, values: Values, index: int) -> Figure:
    return Figure(title=title, unit=unit, rounds={side: of_side[index] for side, of_side in values.items()})


def _medians(values: Values) -> dict[str, list[float]]:
    return {side: [statistics.median(rounds) for rounds in of_side] for side, of_side in values.items()}
