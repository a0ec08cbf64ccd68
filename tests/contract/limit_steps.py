"""Steps that the suites of limits share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from orchestrator.ledger.limits import LimitStore, Ticket
from orchestrator.limits import Limit


def ticket(name: str, tenant: str = "", **fields: object) -> Ticket:
    fields = {"owner": "w1", "run_id": f"run-{name}", **fields}
    return Ticket(id=name, tenant=tenant, **fields)  # type: ignore[arg-type]


async def granted(store: LimitStore, limit: Limit, tickets: Sequence[Ticket]) -> list[str]:
    """The tickets that have been granted by one look."""
    served = await store.serve(limit, tickets)
    return [ticket.id for ticket, answer in zip(tickets, served.answers, strict=True) if answer.is_granted]


async def drain(store: LimitStore, limit: Limit, tickets: Sequence[Ticket], count: int) -> list[str]:
    """The first `count` tickets to be granted, in their order; each call is over at once."""
    order: list[str] = []
    waiting = list(tickets)
    deadline = time.monotonic() + 60
    while len(order) < count and time.monotonic() < deadline:
        for name in await granted(store, limit, waiting):
            order.append(name)
            done = next(ticket for ticket in waiting if ticket.id == name)
            waiting.remove(done)
            await store.settle(limit, done)
        await asyncio.sleep(0.01)
    return order
