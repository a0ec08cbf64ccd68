"""What scenarios measure with: the model's server, a folder, and how much to do."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from benchmarks.drivers.loop import Order
from benchmarks.model import Model
from benchmarks.model_server import Behaviour
from benchmarks.side import Round, Side, SideName

WARM_UP_SECONDS = 2.0

T = TypeVar("T")


@dataclass
class Bench:
    """One `python -m benchmarks` under way."""

    folder: Path
    model: Model
    is_quick: bool
    """Sizes that only show that everything works."""
    other_cores: list[float] = field(default_factory=list)

    def size(self, full: int, quick: int) -> int:
        """How many of something to do."""
        return quick if self.is_quick else full

    def sizes(self, full: Sequence[int], quick: Sequence[int]) -> Sequence[int]:
        """How many of something to do, one after the other."""
        return quick if self.is_quick else full

    def say(self, text: str) -> None:
        """Tell whoever waits how far it is."""
        print(text, file=sys.stderr, flush=True)

    def open_sides(self, scenario: str, names: Sequence[SideName], *, workers: int, concurrency: int) -> OpenSides:
        """Start the sides of a comparison, to be measured in turns."""
        folder = self.folder / scenario
        return OpenSides([Side(name, folder, self.model, workers=workers, concurrency=concurrency) for name in names])

    def warm_up(self, sides: Sequence[Side], runs: int) -> None:
        """So many long calls at once on each side: a thread's first task makes a client, which takes 50 ms of CPU."""
        self.model.behave(Behaviour(latency_seconds=0.0 if self.is_quick else WARM_UP_SECONDS))
        for side in sides:
            self.say(f"warming up: {side.name}")
            side.measure(Order("answer", runs=runs, in_flight=runs))
        self.model.behave(Behaviour())

    def check_calls(self, side: Side, expected: int) -> None:
        """The model has to have been called so many times since its last `behave`."""
        calls = len(self.model.calls())
        assert calls == expected, f"{side.name} called the model {calls} times in place of {expected}"

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
        """Start them; all stay up, and only one is given work at a time."""
        return [self.enter_context(side) for side in self._sides]


def in_turns(sides: Sequence[T], rounds: int) -> Iterator[tuple[int, T]]:
    """Each side once a round, with the round's number; every round begins with another side."""
    for number in range(rounds):
        begin = number % len(sides)
        for side in (*sides[begin:], *sides[:begin]):
            yield number, side
