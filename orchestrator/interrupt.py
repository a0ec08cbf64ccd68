"""Stops work in the middle when its run is cancelled or taken over, or its process ends."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from orchestrator.ledger.base import Fenced, Renewal

T = TypeVar("T")


class Interrupt:
    """What an invocation has heard about its run from outside."""

    def __init__(self, *, cancelled: bool, paused: bool = False) -> None:
        self.cancelled = cancelled
        self.paused = paused
        """Rest before the next model call or tool."""
        self._fenced = False
        self._given_up = False
        self._time_is_up = False
        self._is_committing = False
        self._work: asyncio.Task[Any] | None = None

    def hear(self, news: Renewal) -> None:
        """Take in what a renewal answered, and stop the work that is going on."""
        self.cancelled = self.cancelled or news == "cancel"
        self._fenced = self._fenced or news == "fenced"
        self._stop_work()

    def give_up(self) -> None:
        """Stop the work that is going on: the process has no more time for it."""
        self._given_up = True
        self._stop_work()

    def time_up(self) -> None:
        """Stop the work that is going on: the run has no more time for it. What follows may go on."""
        self._time_is_up = self._work is not None
        self._stop_work()

    @contextmanager
    def committing(self) -> Iterator[None]:
        """Do not stop the work inside the block: its script gives the run up, and answers whether it was ours to give.

        A renewal that meets what the script has written cannot tell that from a takeover.
        """
        self._is_committing = True
        try:
            yield
        finally:
            self._is_committing = False

    def _stop_work(self) -> None:
        if self._work is not None and not self._is_committing:
            self._work.cancel()

    async def run(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Do the work; `None` if it was stopped before its end. Raises `Fenced` if the run was taken over."""
        task: asyncio.Task[T] = asyncio.ensure_future(work)
        self._work, self._time_is_up = task, False
        try:
            return await task
        except asyncio.CancelledError:
            if self._fenced:
                raise Fenced from None
            if (self.cancelled or self._given_up or self._time_is_up) and task.cancelled():
                return None
            task.cancel()  # the whole process is asked to stop, not this run
            raise
        finally:
            self._work = None
