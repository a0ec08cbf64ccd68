"""The lanes of a ledger in memory: of one tenant's runs for one queue only so many have a message at a time."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict


class MemoryLanes:
    """Which runs of a lane have a message, and which are held back, by priority and age."""

    def __init__(self, queued_per_lane: int) -> None:
        self._size = queued_per_lane
        self._queued: dict[str, set[str]] = defaultdict(set)
        self._held: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
        self._lane_of: dict[str, str] = {}
        self._age = 0

    def enter(self, run_id: str, lane: str, priority: int | None) -> bool:
        """Whether the run gets a message. False: it is held back."""
        self._lane_of[run_id] = lane
        if len(self._queued[lane]) < self._size:
            self._queued[lane].add(run_id)
            return True
        self._age += 1
        insort(self._held[lane], (priority or 0, self._age, run_id))
        return False

    def is_held_back(self, run_id: str) -> bool:
        """Whether the run has no message because its lane is full."""
        return any(held == run_id for _, _, held in self._held.get(self._lane_of.get(run_id, ""), ()))

    def admit(self, run_id: str) -> None:
        """The run gets a message, whether its lane is full or not."""
        lane = self._lane_of[run_id]
        self._held[lane] = [place for place in self._held[lane] if place[2] != run_id]
        self._queued[lane].add(run_id)

    def leave(self, run_id: str) -> list[str]:
        """The run was claimed. Returns those that take its place."""
        lane = self._lane_of.get(run_id)
        if lane is None:
            return []
        self._held[lane] = [place for place in self._held[lane] if place[2] != run_id]
        self._queued[lane].discard(run_id)
        free = self._size - len(self._queued[lane])
        admitted = [held for _, _, held in self._held[lane][: max(0, free)]]
        for held in admitted:
            self.admit(held)
        return admitted
