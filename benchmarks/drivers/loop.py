"""What all drivers do: read orders from stdin, keep so many runs in flight, answer with how long each took."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.lag import LAG_FILE, sample_lag

Item = dict[str, str]


@dataclass(frozen=True)
class Order:
    """What to drive."""

    workload: str
    runs: int
    in_flight: int
    items: int = 1
    """Length of each run's input."""
    width: int = 1
    """Members of a fan-out, links of a chain, steps of a sequence."""
    pace_seconds: float = 0.0
    """How long the submits take all together; 0 is as fast as `in_flight` lets them."""
    first: int = 0
    """Number of the first run: runs of one stack must not share numbers."""


@dataclass(frozen=True)
class Driven:
    """What came of an order."""

    seconds: float
    latencies: list[float]
    """Seconds from submit to answer, by run."""
    ended_at: list[float]
    """Seconds from the start of the order to the run's answer."""


RunOne = Callable[[Order, list[Item]], Awaitable[str]]
"""Runs the order's workload on the items; returns the answer."""


def conversation(number: int, items: int) -> list[Item]:
    """A conversation of so many items, told apart by its mark."""
    filler = "The parcel was to arrive on Tuesday, and the carrier says that it has left the depot. " * 2
    earlier = [{"role": ("user", "assistant")[index % 2], "content": filler} for index in range(items - 1)]
    return [*earlier, {"role": "user", "content": f"mark-{number}: where is my order A1?"}]


def question(items: list[Item]) -> str:
    """The last thing that the user said."""
    return items[-1]["content"]


async def drive(order: Order, run_one: RunOne) -> Driven:
    """Carry an order out. A run without a proper answer fails the benchmark."""
    slots = asyncio.Semaphore(order.in_flight)
    latencies, ended_at = [0.0] * order.runs, [0.0] * order.runs

    async def run(number: int) -> None:
        items = conversation(order.first + number, order.items)
        await asyncio.sleep(order.pace_seconds * number / order.runs)
        async with slots:
            submitted_at = time.perf_counter()
            answer = await run_one(order, items)
        latencies[number] = time.perf_counter() - submitted_at
        ended_at[number] = time.perf_counter() - began_at
        assert answer.startswith("Order A1"), f"run {number} of {order.workload} answered {answer!r}"

    gc.collect()
    began_at = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for number in range(order.runs):
            tasks.create_task(run(number))
    return Driven(time.perf_counter() - began_at, latencies, ended_at)


async def serve_orders(run_one: RunOne) -> None:
    """Carry out every order that comes over stdin, until it closes."""
    if path := os.environ.get(LAG_FILE):
        sampling = asyncio.create_task(sample_lag(Path(path)))
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        driven = await drive(Order(**json.loads(line)), run_one)
        print(json.dumps(asdict(driven)), flush=True)
    if path:
        sampling.cancel()
