"""Long logs that this process has read: its next claim of such a run reads only what is new."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.entries import Entry
from orchestrator.ledger.base import Claim
from orchestrator.ledger.live import Position

LONG = 50
"""Entries from which on a log is kept: most runs end with fewer, and are claimed by whatever process is free."""
KEPT_CHARACTERS = 4_000_000
"""Of JSON, all logs together: some 20 MB of entries."""


@dataclass(frozen=True)
class KnownLog:
    """A log as it was at a claim."""

    entries: Sequence[Entry] = ()
    last: Position | None = None
    """Of the last entry."""
    characters: int = 0


class KnownLogs:
    """The logs that were claimed last. A log only ever grows; where it has not, the server's answer says so."""

    def __init__(self) -> None:
        self._logs: OrderedDict[str, KnownLog] = OrderedDict()
        self._characters = 0

    def find(self, run_id: str) -> KnownLog:
        """What is known of a run's log: perhaps nothing."""
        return self._logs.get(run_id, KnownLog())

    def keep(self, claim: Claim, last: Position, characters: int) -> None:
        """Remember a claimed run's log, if it is long and could be read to its end."""
        self._forget(claim.run_id)
        if len(claim.entries) < LONG or claim.damage:
            return
        self._logs[claim.run_id] = KnownLog(claim.entries, last, characters)
        self._characters += characters
        while self._characters > KEPT_CHARACTERS:
            self._forget(next(iter(self._logs)))

    def _forget(self, run_id: str) -> None:
        if known := self._logs.pop(run_id, None):
            self._characters -= known.characters
