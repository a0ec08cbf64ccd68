"""Runs in memory as they happen: what readers follow, and who reads."""

from __future__ import annotations

import asyncio
import contextlib
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from orchestrator.delta import Delta
from orchestrator.entries import Entry, Outcome
from orchestrator.ledger.live import DELTA_SECONDS, DELTAS_KEPT, START, LiveLedger, Position
from orchestrator.ledger.memory_runs import MemoryRuns
from orchestrator.run_ids import root_of


@dataclass
class _Pieces:
    """The latest pieces of a run's replies."""

    found: deque[tuple[Position, Delta]] = field(default_factory=lambda: deque(maxlen=DELTAS_KEPT))
    expires_at: float = 0.0


class MemoryLive(LiveLedger):
    """The live part of the ledger in memory."""

    def __init__(self, runs: MemoryRuns, clock: Callable[[], float]) -> None:
        self._runs = runs
        self._clock = clock
        self._watched_until: dict[str, float] = {}
        self._pieces: dict[str, _Pieces] = {}

    async def watch(self, run_id: str, *, seconds: float) -> None:
        self._watched_until[root_of(run_id)] = self._clock() + seconds

    async def publish_delta(self, run_id: str, delta: Delta) -> None:
        pieces = self._pieces.setdefault(run_id, _Pieces())
        pieces.found.append((self._runs.next_position(), delta))
        pieces.expires_at = self._clock() + DELTA_SECONDS

    async def has_delta(self, run_id: str, position: Position) -> bool:
        return any(found == position for found, _ in self._find_pieces(run_id))

    async def entries(self, run_id: str, after: Position = START) -> list[tuple[Position, Entry]]:
        run = self._runs.find(run_id)
        if run is None:
            return []
        first = bisect_right(run.positions, _order(after), key=_order)
        return list(zip(run.positions[first:], run.log[first:], strict=True))

    async def follow(
        self,
        positions: Mapping[str, Position],
        *,
        deltas: Mapping[str, Position] | None = None,
        timeout_seconds: float,
    ) -> list[tuple[str, Position, Entry | Delta]]:
        deadline = time.monotonic() + timeout_seconds
        while positions:
            news = self._runs.news
            found = [item for run_id, after in positions.items() for item in await self._entries_of(run_id, after)]
            found += [
                (run_id, position, delta)
                for run_id, after in (deltas or {}).items()
                for position, delta in self._find_pieces(run_id)
                if _order(position) > _order(after)
            ]
            if found:
                return sorted(found, key=lambda item: _order(item[1]))
            try:
                await asyncio.wait_for(news.wait(), deadline - time.monotonic())
            except TimeoutError:
                break
        return []

    async def follow_cancels(self, after: Position | None, *, timeout_seconds: float) -> tuple[Position, list[str]]:
        cancels = self._runs.cancels
        if after is None:
            return cancels[-1][0] if cancels else START, []
        deadline = time.monotonic() + timeout_seconds
        while True:
            news = self._runs.news
            found = [(position, run_id) for position, run_id in cancels if _order(position) > _order(after)]
            remaining = deadline - time.monotonic()
            if found or remaining <= 0:
                return found[-1][0] if found else after, [run_id for _, run_id in found]
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(news.wait(), remaining)

    async def wait_for_outcome(self, run_id: str) -> Outcome | None:
        while True:
            news = self._runs.news
            run = self._runs.find(run_id)
            if run is None or run.outcome is not None:
                return run.outcome if run else None
            await news.wait()

    def is_watched(self, run_id: str) -> bool:
        """Whether somebody reads along."""
        return self._watched_until.get(root_of(run_id), 0.0) > self._clock()

    async def _entries_of(self, run_id: str, after: Position) -> list[tuple[str, Position, Entry | Delta]]:
        return [(run_id, position, entry) for position, entry in await self.entries(run_id, after)]

    def _find_pieces(self, run_id: str) -> Iterable[tuple[Position, Delta]]:
        pieces = self._pieces.get(run_id)
        if pieces is None or pieces.expires_at <= self._clock():
            return ()
        return tuple(pieces.found)


def _order(position: Position) -> tuple[int, int]:
    milliseconds, _, number = position.partition("-")
    return int(milliseconds), int(number)
