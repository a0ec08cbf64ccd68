"""`triage`, a whole small run: three model calls, one handoff, one tool call."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from benchmarks.bench import Bench, in_turns
from benchmarks.drivers.loop import Order
from benchmarks.model_server import Behaviour
from benchmarks.results import Figure, Section, Target, at_least, at_most
from benchmarks.side import TITLES, Round, Side

ROLES = {"workers": "workers", "driver": "producer", "server": "Valkey", "model": "model's server"}
SDK, PLAIN = TITLES["agents_sdk"], TITLES["plain_celery"]

BURST = 200
CALLS_A_RUN = 3

Rounds = dict[str, list[Round]]


def run(bench: Bench) -> Section:
    """Alone, 32 in flight, and 200 at once; all sides are up, and take turns."""
    alone: Rounds = defaultdict(list)
    busy: Rounds = defaultdict(list)
    burst: Rounds = defaultdict(list)
    with bench.open_sides("triage", ["ours", "agents_sdk", "plain_celery"], workers=2, concurrency=200) as opened:
        sides = opened.start()
        bench.warm_up(sides, bench.size(2 * BURST, 2))
        for side in sides:
            side.measure(Order("triage", runs=bench.size(100, 2), in_flight=bench.size(32, 2)))
        for number, side in in_turns(sides, bench.size(5, 1)):
            bench.say(f"triage: round {number + 1}, {side.name}")
            alone[TITLES[side.name]].append(measure(bench, side, runs=bench.size(50, 2), in_flight=1))
            busy[TITLES[side.name]].append(measure(bench, side, runs=bench.size(200, 4), in_flight=32))
            size = bench.size(BURST, 4)
            burst[TITLES[side.name]].append(measure(bench, side, runs=size, in_flight=size, latency=0.5))
    return Section(
        name="triage",
        title="One run: three model calls, one handoff, one tool call",
        figures=make_figures(alone, busy, burst, bench.size(BURST, 4)),
        notes=[describe_parts(busy)],
    )


def measure(bench: Bench, side: Side, *, runs: int, in_flight: int, latency: float = 0.0) -> Round:
    """One round; the model has to have been called three times a run."""
    bench.model.behave(Behaviour(latency_seconds=latency))
    measured = bench.note(side.measure(Order("triage", runs=runs, in_flight=in_flight)))
    bench.check_calls(side, CALLS_A_RUN * runs)
    return measured


def make_figures(alone: Rounds, busy: Rounds, burst: Rounds, size: int) -> list[Figure]:
    """CPU first: it varies least from machine to machine."""
    ratios = (at_most(0.8, SDK), at_most(0.5, PLAIN))
    return [
        _figure("CPU a run, 32 in flight", "ms", busy, lambda r: r.cpu_milliseconds, ratios),
        _figure("runs a second, 32 in flight", "1/s", busy, lambda r: r.runs_per_second, (at_least(100),)),
        _figure("one run alone, median", "ms", alone, lambda r: r.median_milliseconds, (at_most(20),)),
        _figure(f"{size} at once, calls of 500 ms: all done", "s", burst, lambda r: r.driven.seconds, (at_most(2.5),)),
        _figure(f"{size} at once: median run", "s", burst, lambda r: r.median_milliseconds / 1000),
        _figure(f"{size} at once: CPU a run", "ms", burst, lambda r: r.cpu_milliseconds),
    ]


def describe_parts(busy: Rounds) -> str:
    """Whose CPU it is, side by side."""
    parts = []
    for side, rounds in busy.items():
        last = sorted(rounds, key=lambda r: r.cpu_milliseconds)[len(rounds) // 2].cpu_by_role()
        parts.append(f"{side} " + ", ".join(f"{ROLES[role]} {ms:.1f}" for role, ms in last.items()))
    return "CPU by process with 32 in flight, in ms a run of the median round: " + "; ".join(parts) + "."


def _figure(
    title: str, unit: str, rounds: Rounds, value: Callable[[Round], float], targets: Sequence[Target] = ()
) -> Figure:
    values = {side: [value(measured) for measured in of_side] for side, of_side in rounds.items()}
    return Figure(title=title, unit=unit, rounds=values, targets=targets)
