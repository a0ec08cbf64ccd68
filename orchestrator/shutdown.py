"""A process that is told to stop gives its runs back: after their turns, or in the middle if that takes long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Shutdown:
    """What the invocations of one process know about its end."""

    def __init__(self) -> None:
        self.is_stopping = False
        self._interrupts: set[Callable[[], None]] = set()

    def begin(self) -> None:
        """Let turns end, and begin no more."""
        self.is_stopping = True

    def hurry(self) -> None:
        """Stop what is still under way: model calls are cut off, and made again elsewhere."""
        self.begin()
        for interrupt in list(self._interrupts):
            interrupt()

    @contextmanager
    def interrupting(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """Let `hurry` call `interrupt` while the block is under way."""
        self._interrupts.add(interrupt)
        try:
            yield
        finally:
            self._interrupts.discard(interrupt)
