"""What a benchmark found, as data: kept as JSON, so that commits can be compared and reports written anew."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

OURS = "celery-orchestrator"


class Frozen(BaseModel):
    """What all results share."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Target(Frozen):
    """What a figure is to reach: a limit for our value, or for its ratio to another side's."""

    bound: Literal["at most", "at least"]
    limit: float
    against: str | None = None
    """The side that the ratio is to; none: the limit is in the figure's unit."""


def at_most(limit: float, against: str | None = None) -> Target:
    """Our value, or its ratio to another side's, may not exceed this."""
    return Target(bound="at most", limit=limit, against=against)


def at_least(limit: float) -> Target:
    """Our value has to come to this."""
    return Target(bound="at least", limit=limit)


class Figure(Frozen):
    """One thing that was measured, on every side, in every round."""

    title: str
    unit: str
    rounds: Mapping[str, Sequence[float]]
    """Side to its value in each round."""
    targets: Sequence[Target] = ()

    def median(self, side: str) -> float:
        return statistics.median(self.rounds[side])

    def measured(self, target: Target) -> float:
        """Our value, or its ratio: round by round, because a machine's speed changes from round to round."""
        if target.against is None:
            return self.median(OURS)
        pairs = zip(self.rounds[OURS], self.rounds[target.against], strict=True)
        return statistics.median(ours / theirs for ours, theirs in pairs)

    def is_reached(self, target: Target) -> bool:
        value = self.measured(target)
        return value <= target.limit if target.bound == "at most" else value >= target.limit


class Plot(Frozen):
    """Lines over a common x axis."""

    title: str
    x_title: str
    y_title: str
    x: Sequence[float]
    lines: Mapping[str, Sequence[float]]
    """Side to its values; a side that was not measured at the last places has fewer."""
    is_logarithmic: bool = False


class Section(Frozen):
    """What one scenario found."""

    name: str
    title: str
    figures: Sequence[Figure]
    notes: Sequence[str] = ()
    """What belongs beside the figures: parts, calculations, what stands in the way."""
    plots: Sequence[Plot] = ()
    seconds: float = 0.0
    """How long the scenario took, with the start and the end of its processes."""
    work_milliseconds: Sequence[float] = ()
    """The fixed piece of work, timed before and after the scenario and before each round: how fast the machine was."""


class Machine(Frozen):
    """Where it was measured, and how calm it was there."""

    processor: str
    cores: int
    memory_gigabytes: float
    system: str
    versions: Mapping[str, str]
    commit: str
    began_at: str
    seconds: float = 0.0
    work_milliseconds: Sequence[float] = ()
    """A fixed piece of work, whenever it was timed: how steady the machine's speed was."""
    other_cores: Sequence[float] = ()
    """Cores that other processes kept busy, in every measured round."""


class Results(Frozen):
    """All of one `python -m benchmarks`."""

    is_quick: bool
    is_long: bool = False
    """With the sizes and rounds that only `--long` measures."""
    machine: Machine
    sections: Sequence[Section]
