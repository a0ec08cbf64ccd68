"""`Choice`: what a flow's code has decided, for those who watch its run."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict


class Choice(BaseModel):
    """One thing that a combinator has decided."""

    model_config = ConfigDict(frozen=True)

    place: str = ""
    """The combinator's place in the flow; empty at the top."""
    text: str
    """What it has decided, such as `gate is_good closed` or `picked attempt 2`."""

    def __str__(self) -> str:
        return f"{self.place}: {self.text}" if self.place else self.text


class Choices:
    """The choices of one run, each once, however often its flow is gone through."""

    def __init__(self) -> None:
        self._known = set[Choice]()
        self._new: list[Choice] = []

    def add(self, choice: Choice) -> None:
        """Take one in, unless it is known."""
        if choice not in self._known:
            self._known.add(choice)
            self._new.append(choice)

    def recall(self, recorded: Iterable[Choice]) -> None:
        """The ledger has these."""
        self._known.update(recorded)

    def take(self) -> tuple[Choice, ...]:
        """Those that are to be recorded, in order. They are given out once."""
        taken, self._new = tuple(self._new), []
        return taken
