"""Tickets in memory, and the lines of tenants in which they stand."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from dataclasses import dataclass
from typing import Literal

from orchestrator.ledger.limits import Ticket, pace_ms
from orchestrator.limits import Caps

TicketState = Literal["ready", "parked", "called", "granted", "absent"]
LINES: tuple[TicketState, ...] = ("ready", "parked", "called")
ALL = "all"


@dataclass(eq=False)
class MemoryTicket:
    """A ticket's state."""

    wish: Ticket
    place: tuple[int, int]
    """Priority and age."""
    weight: float
    state: TicketState = "absent"
    calls: int = 0
    expires_at: float = 0.0
    lasts_until: float = 0.0
    starts_at: float = 0.0


@dataclass(frozen=True)
class Scope:
    """Caps with the name under which use is counted: the limit's own, or a tenant's. Times are seconds."""

    name: str
    request_seconds: float | None
    token_seconds: float | None
    concurrent: int | None

    @classmethod
    def of(cls, name: str, caps: Caps) -> Scope:
        """The scope of these caps."""
        request_ms, token_ms = pace_ms(caps.requests_per_minute), pace_ms(caps.tokens_per_minute)
        return cls(name, request_ms and request_ms / 1000, token_ms and token_ms / 1000, caps.concurrent)


class Lines:
    """Who stands in which line, and how much each tenant has had for its weight: its tag."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], list[MemoryTicket]] = defaultdict(list)
        self._tags: dict[str, float] = {}
        self._served = 0.0
        """The tag of the latest tenant served. A newcomer's begins there."""

    def line(self, state: TicketState, tenant: str) -> list[MemoryTicket]:
        """One tenant's tickets of one state in their order."""
        return self._lines.get((state, tenant), [])

    def first(self, state: TicketState, tenant: str) -> MemoryTicket:
        """The head of a line that is not empty."""
        return self._lines[state, tenant][0]

    def tenants(self, state: TicketState) -> list[str]:
        """Tenants with such a line, in the fair order."""
        return sorted((tenant for (kind, tenant) in self._lines if kind == state), key=self._tag_of)

    def count_tenants(self) -> int:
        """About how many tenants wait."""
        return max(1, len(self.tenants("ready")), len(self.tenants("parked")))

    def count_before(self, ticket: MemoryTicket) -> int:
        """How many of its tenant's tickets come before this one."""
        tenant = ticket.wish.tenant
        return sum(other.place < ticket.place for state in LINES for other in self.line(state, tenant))

    def has(self, ticket: MemoryTicket) -> bool:
        """Whether the ticket stands in a line."""
        return ticket.state in LINES

    def stand(self, ticket: MemoryTicket, state: TicketState) -> None:
        """Stand in this line, and in no other."""
        tenant = ticket.wish.tenant
        tag = self._tag_of(tenant)
        self.leave(ticket)
        self._tags[tenant] = tag
        ticket.state = state
        insort(self._lines[state, tenant], ticket, key=lambda other: other.place)

    def leave(self, ticket: MemoryTicket) -> None:
        """Stand in no line."""
        key = (ticket.state, ticket.wish.tenant)
        if ticket in self._lines.get(key, []):
            self._lines[key].remove(ticket)
            if not self._lines[key]:
                del self._lines[key]

    def serve(self, ticket: MemoryTicket, cost: float) -> None:
        """The ticket is served: its tenant has had this much more."""
        tenant = ticket.wish.tenant
        tag = self._tag_of(tenant)
        self._served = max(self._served, tag)
        self._tags[tenant] = tag + cost
        self.leave(ticket)

    def _tag_of(self, tenant: str) -> float:
        tag = self._tags.get(tenant, 0.0)
        waits = any((state, tenant) in self._lines for state in LINES)
        return tag if waits else max(self._served, tag)
