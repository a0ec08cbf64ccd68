"""Stores of limits that count, or fail."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.errors import LedgerError
from orchestrator.ledger.limits import Served, Ticket
from orchestrator.ledger.limits_memory import MemoryLimitStore
from orchestrator.limits import Limit


class CountingStore(MemoryLimitStore):
    """Counts how often it is asked."""

    looks = 0

    async def serve(self, limit: Limit, asking: Sequence[Ticket], held: Sequence[Ticket] = ()) -> Served:
        self.looks += 1
        return await super().serve(limit, asking, held)


class TroubledStore(MemoryLimitStore):
    """Fails whenever it is asked."""

    def __init__(self, error: LedgerError) -> None:
        super().__init__()
        self._error = error

    async def serve(self, limit: Limit, asking: Sequence[Ticket], held: Sequence[Ticket] = ()) -> Served:
        raise self._error
