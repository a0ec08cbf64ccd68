"""`triage`, a whole small run: three model calls, one handoff, one tool call; also where calls fail."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from benchmarks.bench import Bench
from benchmarks.drivers.loop import Order
from benchmarks.model_server import Behaviour
from benchmarks.results import Figure, Section, Target, at_least, at_most
from benchmarks.side import TITLES, Round, Side, SideName

ROLES = {"workers": "workers", "driver": "producer", "server": "Valkey", "model": "model's server"}
SDK, PLAIN = TITLES["agents_sdk"], TITLES["plain_celery"]

BUSY_RUNS: dict[SideName, int] = {"ours": 200, "agents_sdk": 100, "plain_celery": 100}
"""Two to four seconds of each side."""
BURST = 200
FAULTY_RUNS = 60
CALLS_A_RUN = 3
FAULTS = Behaviour(rate_limited_share=0.025, failed_share=0.025, fault_seed=17)
"""Of the 180 calls of a round, 4 are answered 429 and 5 are answered 500, which is 5 %."""

AT_ONCE = Behaviour()

Rounds = dict[str, list[Round]]


def run(bench: Bench) -> Section:
    """Alone, 32 in flight, 200 at once, and 32 in flight with faults; all sides are up, and take turns."""
    alone: Rounds = defaultdict(list)
    busy: Rounds = defaultdict(list)
    burst: Rounds = defaultdict(list)
    faulty: Rounds = defaultdict(list)
    size, faulty_runs = bench.size(BURST, 4), bench.size(FAULTY_RUNS, 4)
    with bench.open_sides("triage", ["ours", "agents_sdk", "plain_celery"], workers=2, concurrency=200) as opened:
        sides = opened.start()
        bench.warm_up(sides, bench.size(2 * BURST, 2))
        for side in sides:
            side.measure(Order("triage", runs=bench.size(50, 2), in_flight=bench.size(32, 2)))
        for number, side in bench.take_turns(sides, bench.size(3, 1, long=5)):
            bench.say(f"triage: round {number + 1}, {side.name}")
            title, slow = TITLES[side.name], Behaviour(latency_seconds=0.5)
            alone[title].append(measure(bench, side, runs=bench.size(30, 2), in_flight=1))
            busy[title].append(measure(bench, side, runs=bench.size(BUSY_RUNS[side.name], 4), in_flight=32))
            burst[title].append(measure(bench, side, runs=size, in_flight=size, behaviour=slow))
            faulty[title].append(measure(bench, side, runs=faulty_runs, in_flight=32, behaviour=FAULTS))
    return Section(
        name="triage",
        title="One run: three model calls, one handoff, one tool call",
        figures=[*make_figures(alone, busy, burst, size), *make_faulty_figures(faulty, faulty_runs)],
        notes=[describe_parts(busy), describe_faults()],
    )


def measure(bench: Bench, side: Side, *, runs: int, in_flight: int, behaviour: Behaviour = AT_ONCE) -> Round:
    """One round; the model has to have been called three times a run."""
    bench.model.behave(behaviour)
    measured = bench.note(side.measure(Order("triage", runs=runs, in_flight=in_flight)))
    bench.check_calls(side, CALLS_A_RUN * runs, has_faults=behaviour is FAULTS)
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


def make_faulty_figures(faulty: Rounds, runs: int) -> list[Figure]:
    """Every run is answered, or the driver ends the benchmark: what is left to see is what that took."""
    title = f"{runs} runs, {FAULTS.rate_limited_share + FAULTS.failed_share:.0%} of their calls fail"
    return [
        _figure(f"{title}: all done", "s", faulty, lambda r: r.driven.seconds),
        _figure(f"{title}: slowest run", "s", faulty, lambda r: max(r.driven.latencies)),
        _figure(f"{title}: CPU a run", "ms", faulty, lambda r: r.cpu_milliseconds),
    ]


def describe_faults() -> str:
    """Who makes failed calls again, and which fail."""
    return (
        f"Calls that fail: {FAULTS.rate_limited_share:.1%} are answered with 429 and {FAULTS.failed_share:.1%} with "
        "500, drawn with one seed, so as many on each side and in each round; the call that is made again is "
        "answered. On the baselines, OpenAI's client makes it again, after about half a second, as ours do; all runs "
        "were answered."
    )


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
