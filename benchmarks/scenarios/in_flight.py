"""Calls that take their time, hundreds of them in one process: what they weigh, and whether anybody waits for them."""

from __future__ import annotations

import time
from dataclasses import dataclass

from benchmarks.bench import Bench
from benchmarks.drivers.loop import Order
from benchmarks.lag import read_lag
from benchmarks.model_server import Behaviour
from benchmarks.results import Figure, Plot, Section
from benchmarks.side import TITLES, Side, SideName
from benchmarks.usage import memory_megabytes

RUNS = (100, 500, 2000)
LONG_RUNS = (100, 500, 1000, 2000)
STARTS_PER_SECOND = 80
"""What two cores can begin. So that all are in flight at once, many calls have to be longer than 5 s."""
CALL_SECONDS = 5.0
SIDES: tuple[SideName, ...] = ("ours", "agents_sdk")


@dataclass(frozen=True)
class Flight:
    """How it went with so many calls."""

    in_flight: int
    """The most that the model's server saw at once."""
    megabytes: float
    """Memory of the process that calls, when about all were in flight."""
    lag_milliseconds: float
    """How late its event loop was, in the worst hundredth of the samples."""
    added_milliseconds: float
    """How much longer than its call a run took, in the slowest hundredth of the runs."""


def run(bench: Bench) -> Section:
    """One worker process, and the Agents SDK in one process."""
    sizes = bench.sizes(RUNS, (4, 8), long=LONG_RUNS)
    flights: dict[str, list[Flight]] = {}
    for name in SIDES:
        covered = [runs for runs in sizes if bench.covers(name, runs)]
        with bench.open_sides("in_flight", [name], workers=1, concurrency=max(covered)) as opened:
            (side,) = opened.start()
            bench.model.behave(Behaviour())
            side.measure(Order("answer", runs=bench.size(50, 2), in_flight=8))
            flights[TITLES[name]] = [measure(bench, side, runs) for runs in covered]
    return describe(list(sizes), flights, bench.describe_left_out())


def measure(bench: Bench, side: Side, runs: int) -> Flight:
    """Begin so many runs at a pace that the machine can keep, and look when they are all under way."""
    call_seconds = bench.size(1, 0) * max(CALL_SECONDS, runs / STARTS_PER_SECOND) or 0.5
    bench.say(f"in flight: {runs} calls of {call_seconds:.0f} s, {side.name}")
    bench.model.behave(Behaviour(latency_seconds=call_seconds))
    since, pace = time.time(), 0.9 * call_seconds
    side.begin(Order("answer", runs=runs, in_flight=runs, pace_seconds=pace))
    time.sleep(pace)
    megabytes = memory_megabytes(side.pids()["workers" if side.stack else "driver"])
    driven = side.finish()
    late = read_lag(side.lag_file, since=since)
    added = sorted(latency - call_seconds for latency in driven.latencies)
    return Flight(
        in_flight=bench.model.most_in_flight(),
        megabytes=megabytes,
        lag_milliseconds=late[int(0.99 * len(late))],
        added_milliseconds=1000 * added[int(0.99 * len(added))],
    )


def describe(sizes: list[int], flights: dict[str, list[Flight]], left_out: list[str]) -> Section:
    """A row for each size; a side may lack the largest."""
    figures = []
    for index, runs in enumerate(sizes):
        for title, unit, name in (
            ("calls at once", "", "in_flight"),
            ("memory of the process", "MB", "megabytes"),
            ("p99 of its loop's lag", "ms", "lag_milliseconds"),
            ("p99 of time added to a call", "ms", "added_milliseconds"),
        ):
            rounds = {
                side: [float(getattr(of_side[index], name))]
                for side, of_side in flights.items()
                if index < len(of_side)
            }
            figures.append(Figure(title=f"{runs:,} runs: {title}", unit=unit or "calls", rounds=rounds))
    memory = {side: [flight.megabytes for flight in of_side] for side, of_side in flights.items()}
    return Section(
        name="in_flight",
        title="In flight in one process",
        figures=figures,
        notes=[
            f"Calls take {CALL_SECONDS:g} s, or longer where more than {STARTS_PER_SECOND} runs a second would have "
            "to begin for all to be in flight at once. Ours is one worker; the time that is added includes the "
            "producer's and the queue's. The Agents SDK's client is OpenAI's as it comes, with at most 1,000 "
            "connections.",
            *left_out,
        ],
        plots=[Plot(title="Memory of the process", x_title="runs in flight", y_title="MB", x=sizes, lines=memory)],
    )
