"""What scenarios measure with: the model's server, a folder, and how much to do."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from benchmarks.drivers.loop import Order
from benchmarks.machine import time_fixed_work
from benchmarks.model import Model
from benchmarks.model_server import Behaviour
from benchmarks.side import Round, Side, SideName

THREADS_WARM_UP_SECONDS, LOOPS_WARM_UP_SECONDS = 2.0, 0.5
INJECTED = (429, 500)
SDK_AT_ONCE = 500
"""Beyond, the Agents SDK's process shows how a saturated loop waits for OpenAI's pool of connections."""
LEFT_TO_LONG = (
    f"The Agents SDK with more than {SDK_AT_ONCE} at once in its process was left out: its loop is saturated then, and "
    "calls wait for OpenAI's pool of connections. `--long` measures it."
)

T = TypeVar("T")


@dataclass
class Bench:
    """One `python -m benchmarks` under way."""

    folder: Path
    model: Model
    is_quick: bool = False
    """Sizes that only show that everything works."""
    is_long: bool = False
    """More sizes and rounds than fit into a few minutes."""
    other_cores: list[float] = field(default_factory=list)
    work_milliseconds: list[float] = field(default_factory=list)

    def size(self, full: int, quick: int, *, long: int | None = None) -> int:
        """How many of something to do."""
        return quick if self.is_quick else long if self.is_long and long is not None else full

    def sizes(self, full: Sequence[int], quick: Sequence[int], *, long: Sequence[int]) -> Sequence[int]:
        """How many of something to do, one after the other."""
        return quick if self.is_quick else long if self.is_long else full

    def covers(self, side: SideName, at_once: int) -> bool:
        """Whether a side is measured with so many agents at once in one process."""
        return self.is_long or side != "agents_sdk" or at_once <= SDK_AT_ONCE

    def describe_left_out(self) -> list[str]:
        """The note on what `covers` denied, beside figures that lack it."""
        return [] if self.is_long or self.is_quick else [LEFT_TO_LONG]

    def say(self, text: str) -> None:
        """Tell whoever waits how far it is."""
        print(text, file=sys.stderr, flush=True)

    def open_sides(self, scenario: str, names: Sequence[SideName], *, workers: int, concurrency: int) -> OpenSides:
        """Start the sides of a comparison, to be measured in turns."""
        folder = self.folder / scenario
        return OpenSides([Side(name, folder, self.model, workers=workers, concurrency=concurrency) for name in names])

    def warm_up(self, sides: Sequence[Side], runs: int) -> None:
        """So many calls at once on each side. A thread's first task makes a client, which takes 50 ms of CPU: calls
        of plain Celery are so long that no thread is free for a second one."""
        for side in sides:
            self.say(f"warming up: {side.name}")
            latency = THREADS_WARM_UP_SECONDS if side.name == "plain_celery" else LOOPS_WARM_UP_SECONDS
            self.model.behave(Behaviour(latency_seconds=0.0 if self.is_quick else latency))
            side.measure(Order("answer", runs=runs, in_flight=runs))
        self.model.behave(Behaviour())

    def take_turns(self, sides: Sequence[T], rounds: int) -> Iterator[tuple[int, T]]:
        """As `in_turns`; before each round, see how fast the machine is."""
        timed = -1
        for number, side in in_turns(sides, rounds):
            if number > timed:
                self.time_work()
                timed = number
            yield number, side

    def time_work(self) -> None:
        """See how fast the machine is, and remember."""
        self.work_milliseconds.append(round(time_fixed_work(), 2))

    def check_calls(self, side: Side, expected: int, *, has_faults: bool = False) -> None:
        """So many calls were needed since the model's last `behave`; those that it failed on purpose come on top."""
        calls = self.model.calls()
        failed = sum(call.status in INJECTED for call in calls)
        needed = len(calls) - failed
        assert needed == expected, f"{side.name} called the model {needed} times in place of {expected}"
        assert bool(failed) == has_faults, f"the model failed {failed} calls of {side.name}"

    def note(self, measured: Round) -> Round:
        """Remember how calm the machine was."""
        self.other_cores.append(round(measured.usage.other_cores, 3))
        return measured


class OpenSides(ExitStack):
    """Sides that run. A context manager: ends them all."""

    def __init__(self, sides: Sequence[Side]) -> None:
        super().__init__()
        self._sides = sides

    def start(self) -> list[Side]:
        """Start them, all at once; all stay up, and only one is given work at a time."""
        with ThreadPoolExecutor(len(self._sides)) as pool:
            return list(pool.map(self.enter_context, self._sides))


def in_turns(sides: Sequence[T], rounds: int) -> Iterator[tuple[int, T]]:
    """Each side once a round, with the round's number; every round begins with another side."""
    for number in range(rounds):
        begin = number % len(sides)
        for side in (*sides[begin:], *sides[:begin]):
            yield number, side
