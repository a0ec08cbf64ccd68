"""Every worker is killed inside the second model call, and new ones are started at once."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial

from redis import Redis

from benchmarks.bench import Bench
from benchmarks.drivers.loop import Order
from benchmarks.model_server import Behaviour
from benchmarks.results import Figure, Section, Target, at_least, at_most
from benchmarks.scenarios.triage import CALLS_A_RUN
from benchmarks.side import TITLES, Side, SideName
from tests.support.stack import wait_until

CALL_SECONDS = 1.0
PATIENCE_SECONDS = 60.0
ANSWER_PATIENCE_SECONDS = 20.0
"""For runs after the kill: far more than ours need, and without end in plain Celery's hour."""
SIDES: tuple[SideName, ...] = ("ours", "plain_celery")


@dataclass(frozen=True)
class Recovery:
    """How it went."""

    done: int
    """Runs that were answered within the patience."""
    last_at: float
    """Seconds from the submit to the last answer; the patience, where one is missing."""
    repeated: int
    """Model calls beyond those that the runs needed."""
    cut: int
    """Model calls that the model's server had not answered at the kill."""


def run(bench: Bench) -> Section:
    """The peers' table: 40 runs, 1 s a call; 3 s would be ideal, and starting workers takes some of the rest."""
    runs = bench.size(40, 4)
    found = {}
    for name in SIDES:
        bench.say(f"recovery: {runs} runs, {name}")
        with bench.open_sides("recovery", [name], workers=2, concurrency=100) as opened:
            (side,) = opened.start()
            bench.model.behave(Behaviour())
            side.measure(Order("triage", runs=runs, in_flight=runs))
            # Ours are awaited in the ledger, whose word comes before the result backend's.
            stored = partial(has_answers, side, runs)
            wait_until(stored, "the first answers are stored", timeout_seconds=PATIENCE_SECONDS)
            found[TITLES[name]] = kill_in_second_call(bench, side, runs)
    return describe(runs, found)


def kill_in_second_call(bench: Bench, side: Side, runs: int) -> Recovery:
    """Kill when every run has made its second call, start new workers, and see what comes of the runs."""
    assert side.stack is not None
    bench.model.behave(Behaviour(latency_seconds=CALL_SECONDS))
    answered_before = count_answers(side)
    began_at = time.monotonic()
    side.begin(Order("triage", runs=runs, in_flight=runs))
    called = f"the model is called {2 * runs} times"
    wait_until(lambda: len(bench.model.calls()) >= 2 * runs, called, timeout_seconds=PATIENCE_SECONDS)
    side.kill_workers()
    cut = sum(call.ended_at is None for call in bench.model.calls())
    side.start_workers()
    last_at = ANSWER_PATIENCE_SECONDS
    while time.monotonic() - began_at < ANSWER_PATIENCE_SECONDS:
        if count_answers(side) - answered_before >= runs:
            last_at = time.monotonic() - began_at
            break
        time.sleep(0.05)
    repeated = max(0, len(bench.model.calls()) - CALLS_A_RUN * runs)
    return Recovery(count_answers(side) - answered_before, last_at, repeated, cut)


def has_answers(side: Side, number: int) -> bool:
    """Whether so many runs have their answer in the result backend."""
    return count_answers(side) >= number


def count_answers(side: Side) -> int:
    """How many runs have their answer in the result backend, where both sides store it under the first task's id."""
    assert side.stack is not None
    with Redis.from_url(side.stack.url, decode_responses=True) as client:
        keys = [key for key in client.scan_iter("celery-task-meta-*", count=1000) if "." not in key]
        stored = client.mget(keys) if keys else []
    return sum('"SUCCESS"' in text for text in stored if text)


def describe(runs: int, found: dict[str, Recovery]) -> Section:
    """What is left of a kill."""
    rows: tuple[tuple[str, str, str, list[Target]], ...] = (
        ("runs answered", "runs", "done", [at_least(runs)]),
        ("last answer after the submit", "s", "last_at", [at_most(8)]),
        ("model calls beyond those needed", "calls", "repeated", [at_most(runs)]),
        ("calls not answered at the kill", "calls", "cut", []),
    )
    figures = [
        Figure(
            title=title,
            unit=unit,
            rounds={side: [float(getattr(recovery, name))] for side, recovery in found.items()},
            targets=targets,
        )
        for title, unit, name, targets in rows
    ]
    return Section(
        name="recovery",
        title=f"kill -9 of all workers inside the second model call of {runs} runs",
        figures=figures,
        notes=[
            f"Workers are started again at once by the same command; a call takes {CALL_SECONDS:g} s, so 3 s would "
            "be ideal. Plain Celery acknowledges late, with its default visibility timeout of an hour; where a run "
            "is not answered, the time is how long was waited; no call was repeated because no run went on."
        ],
    )
