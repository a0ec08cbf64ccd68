"""More worker processes on one Redis: what they bring, what Redis does for a run, and where one Redis ends."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

import psutil

from benchmarks.bench import Bench
from benchmarks.drivers.loop import Order
from benchmarks.model_server import Behaviour
from benchmarks.results import OURS, Figure, Plot, Section
from benchmarks.scenarios.triage import CALLS_A_RUN
from benchmarks.side import TITLES, Round, Side, SideName

WORKERS = (1, 2, 4)
IN_FLIGHT = 48
RUNS: dict[SideName, int] = {"ours": 150, "plain_celery": 60}
"""One to three seconds of each side."""
SIDES: tuple[SideName, ...] = ("ours", "plain_celery")
PLAIN = TITLES["plain_celery"]
WANTED_PER_SECOND = 10_000
HEADROOM = 0.6
"""Share of a server's one core that can be planned with."""


@dataclass(frozen=True)
class Server:
    """What a run asks of its server."""

    reads: float
    """Times that it read from a client: round trips, and pipelines as one."""
    commands: float
    """What it executed, inside scripts, too."""
    sent_bytes: float
    """To the server."""
    cpu_milliseconds: float


@dataclass(frozen=True)
class Load:
    """One round, seen from outside and by the server."""

    measured: Round
    server: Server

    @property
    def runs_per_second(self) -> float:
        """As if the model's server had not used these cores."""
        cores = psutil.cpu_count() or 1
        seconds = self.measured.driven.seconds - self.measured.usage.cpu_seconds["model"] / cores
        return self.measured.runs / seconds


Loads = dict[str, list[list[Load]]]
"""Side to its rounds with each number of workers."""


def run(bench: Bench) -> Section:
    """The same load on 1, 2 and 4 workers."""
    counts = bench.sizes(WORKERS, (1, 2), long=WORKERS)
    loads: Loads = {TITLES[name]: [[] for _ in counts] for name in SIDES}
    for index, count in enumerate(counts):
        with bench.open_sides(f"scale_out-{count}", SIDES, workers=count, concurrency=IN_FLIGHT) as opened:
            sides = opened.start()
            bench.warm_up(sides, bench.size(count * IN_FLIGHT, 2))
            for side in sides:
                side.measure(Order("triage", runs=bench.size(32, 2), in_flight=bench.size(32, 2)))
            for number, side in bench.take_turns(sides, bench.size(3, 1)):
                bench.say(f"scale-out: {count} workers, round {number + 1}, {side.name}")
                loads[TITLES[side.name]][index].append(measure(bench, side))
    return describe(list(counts), loads)


def measure(bench: Bench, side: Side) -> Load:
    """One round; the model has to have been called three times a run."""
    bench.model.behave(Behaviour())
    before = read_counters(side)
    order = Order("triage", runs=bench.size(RUNS[side.name], 4), in_flight=bench.size(IN_FLIGHT, 2))
    measured = bench.note(side.measure(order))
    reads, commands, received = (
        (after - earlier) / measured.runs for after, earlier in zip(read_counters(side), before, strict=True)
    )
    bench.check_calls(side, CALLS_A_RUN * measured.runs)
    return Load(measured, Server(reads, commands, received, measured.cpu_by_role()["server"]))


def read_counters(side: Side) -> list[int]:
    """What the server has counted so far, in the order of `Server`."""
    stats = side.server_info("stats")
    return [int(stats[f"total_{name}"]) for name in ("reads_processed", "commands_processed", "net_input_bytes")]


def describe(counts: list[int], loads: Loads) -> Section:
    """Throughput by workers, the server's part, and the calculation."""
    speeds = {
        side: [[load.runs_per_second for load in rounds] for rounds in of_side] for side, of_side in loads.items()
    }
    figures = [
        Figure(
            title=f"runs a second, workers: {count}",
            unit="1/s",
            rounds={side: values[index] for side, values in speeds.items()},
        )
        for index, count in enumerate(counts)
    ]
    for title, unit, name in (
        ("reads of Redis from clients a run", "reads", "reads"),
        ("commands of Redis a run", "commands", "commands"),
        ("bytes to Redis a run", "B", "sent_bytes"),
        ("CPU of Redis a run", "ms", "cpu_milliseconds"),
    ):
        counted = {side: [float(getattr(load.server, name)) for load in of_side[-1]] for side, of_side in loads.items()}
        figures.append(Figure(title=title, unit=unit, rounds=counted))
    lines = {side: [statistics.median(rounds) for rounds in of_side] for side, of_side in speeds.items()}
    plot = Plot(title="Runs a second by workers", x_title="workers", y_title="runs a second", x=counts, lines=lines)
    return Section(
        name="scale_out",
        title="Scale-out",
        figures=figures,
        notes=[
            "Runs a second as if the model's server had cores of its own: its CPU, spread over all cores, is taken out "
            "of the time. Workers, producer and Redis share the machine's cores, so more workers than cores bring "
            f"nothing. What Redis does for a run is counted with {counts[-1]} workers.",
            calculate(choose_median(loads[OURS][-1])),
        ],
        plots=[plot],
    )


def choose_median(loads: list[Load]) -> Load:
    """The round whose server took the median CPU."""
    return sorted(loads, key=lambda load: load.server.cpu_milliseconds)[len(loads) // 2]


def calculate(load: Load) -> str:
    """On paper: what ten thousand runs a second need."""
    server, measured = load.server, load.measured
    one_server = HEADROOM * 1000 / server.cpu_milliseconds
    shards = WANTED_PER_SECOND / one_server
    workers, producers = (WANTED_PER_SECOND * measured.cpu_by_role()[role] / 1000 for role in ("workers", "driver"))
    megabits = WANTED_PER_SECOND * server.sent_bytes * 8 / 1e6
    return (
        f"**On paper, for {WANTED_PER_SECOND:,} runs a second.** A run costs its Redis {server.cpu_milliseconds:.1f} "
        f"ms of CPU and {server.sent_bytes / 1000:.0f} kB. Redis runs scripts on one core; planned to {HEADROOM:.0%} "
        f"of it, one server carries {one_server:,.0f} runs a second of this kind: there one Redis ends. First the "
        "broker and the result backend move to servers of their own, by settings alone. Then ledgers are sharded: "
        "all keys of a tree of runs share a hash tag. Deadlines, tenants' lines, cancels and the list of runs cross "
        "trees; each shard would have its own. So do sessions, whose runs would go to the session's shard, and limits "
        f"on models, which would stay on one server. {WANTED_PER_SECOND:,} runs a second are about {shards:,.0f} "
        f"servers in all, {workers:,.0f} cores for workers, {producers:,.0f} for producers and {megabits:,.0f} Mbit/s "
        "to the servers. A client that routes by shard is not built; what is built carries one server for the ledger."
    )
