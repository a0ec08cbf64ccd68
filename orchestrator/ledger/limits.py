"""The interface of the store in which the fleet shares its limits: tickets for model calls, served in a fair order.

A call needs a *ticket*. It waits in its tenant's line, by priority and then by age; the tenant that has had the least,
for its weight, is served next. A ticket that is granted says when its call may begin, and holds one of the slots
for calls at once, under a lease. Whoever disappears loses both: what is not asked for again, or held and not renewed,
lapses. The rules are in docs/limits.md; scripts may be repeated after a lost connection.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestrator.limits import Limit

HEADROOM = 0.99
"""Requests are spread so that a minute holds 99 % of the limit: one may be on its way for 0.6 s longer than another
without the server counting too many in its minute."""
AHEAD_SECONDS = 0.5
"""How far ahead starts are given out: longer than the time between two looks, so that no moment is lost."""
CALL_AHEAD_SECONDS = 5.0
"""For how much time ahead parked runs are called back: claiming one takes a second or two."""
CALLED_SECONDS = 8.0
"""After this a parked run is called again."""
MAX_CALLS = 3
MAX_CALLED = 100
"""Parked runs of one tenant that are called at one look, at most."""
PRESENCE_SECONDS = 2.0
"""A waiting ticket that nobody has asked for this long is passed over."""
PLACE_SECONDS = 600.0
"""… and keeps its place for this long."""
LEASE_SECONDS = 30.0
"""How long a granted ticket lasts unless it is renewed."""
PARKED_SPARE_SECONDS = 600.0
"""How long a parked ticket outlasts its run's timer."""


@dataclass(frozen=True)
class Ticket:
    """The wish to make one model call."""

    id: str
    """The same for every attempt at the same call of a run."""
    owner: str
    """The invocation that asks. Another one takes the ticket over, and gets nothing of what the first was granted."""
    run_id: str
    step: int = 1
    tenant: str = ""
    tokens: int = 0
    """An estimate, with the reply."""
    priority: int = 0
    """0 comes first, 9 last: among tickets of one tenant."""


@dataclass(frozen=True)
class Answer:
    """What came of a wish."""

    is_granted: bool
    seconds: float
    """Granted: from now until the call may begin. Else an estimate of the wait."""


@dataclass(frozen=True)
class Served:
    """What one look at a limit brought."""

    answers: list[Answer]
    """In the order in which the tickets were asked for."""
    called: list[tuple[str, int]] = field(default_factory=list)
    """Parked runs whose turn is near, each with the step at which it parked: wake them."""


@dataclass(frozen=True)
class TenantUse:
    """One tenant's part in a limit. The tenant of runs that name none is `""`."""

    tenant: str
    requests: float
    """In the last minute, about; so `tokens`."""
    tokens: float
    held: int
    """Calls under way."""
    waiting: int
    """Runs that wait in a worker."""
    parked: int
    """Runs that wait parked."""


@dataclass(frozen=True)
class LimitUse:
    """A limit at one glance."""

    paused_seconds: float
    """The server has asked to wait this long."""
    total: TenantUse
    tenants: list[TenantUse]


class LimitStore(ABC):
    """Where limits are kept. One instance serves one event loop."""

    @abstractmethod
    async def serve(self, limit: Limit, asking: Sequence[Ticket], held: Sequence[Ticket] = ()) -> Served:
        """Ask for tickets, or again for waiting ones, and renew the lease of granted ones; serve whoever is next."""

    @abstractmethod
    async def park(self, limit: Limit, ticket: Ticket, *, seconds: float) -> bool:
        """The ticket's run parks, for `seconds` at most, and is called in time. False: it has just been granted."""

    @abstractmethod
    async def settle(self, limit: Limit, ticket: Ticket, *, tokens: int | None = None) -> None:
        """The call is over, or no longer wanted. `tokens` is what it took; `None`: the estimate stands."""

    @abstractmethod
    async def pause(self, limit: Limit, seconds: float) -> None:
        """Nothing starts for so long: the model's server has asked for that."""

    @abstractmethod
    async def use(self, limit: Limit) -> LimitUse:
        """The limit at one glance."""

    @abstractmethod
    async def close_connections(self) -> None:
        """Let go of the server."""


def pace_ms(per_minute: float | None) -> float | None:
    """Milliseconds that one request, or one token, takes of a minute."""
    return None if per_minute is None else 60_000 / (per_minute * HEADROOM)
