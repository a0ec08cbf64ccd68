"""What scenarios measure with: the model's server, a folder, and how much to do."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.model import Model
from benchmarks.side import Round, Side, SideName


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
