"""The store of limits in this process's memory, for tests and for running without a server."""

from __future__ import annotations

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence

from orchestrator.ledger import limits as rules
from orchestrator.ledger.limits import Answer, LimitStore, LimitUse, Served, TenantUse, Ticket
from orchestrator.ledger.memory_tickets import ALL, Lines, MemoryTicket, Scope
from orchestrator.limits import Limit


class MemoryLimitStore(LimitStore):
    """Behaves as the store in Redis does, as long as the process lives."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._books: dict[str, _Book] = {}

    async def serve(self, limit: Limit, asking: Sequence[Ticket], held: Sequence[Ticket] = ()) -> Served:
        return self._book(limit).serve(asking, held)

    async def park(self, limit: Limit, ticket: Ticket, *, seconds: float) -> bool:
        return self._book(limit).park(ticket, seconds)

    async def settle(self, limit: Limit, ticket: Ticket, *, tokens: int | None = None) -> None:
        self._book(limit).settle(ticket, tokens)

    async def pause(self, limit: Limit, seconds: float) -> None:
        book = self._book(limit)
        book.paused_until = max(book.paused_until, self._clock() + seconds)

    async def use(self, limit: Limit) -> LimitUse:
        return self._book(limit).use()

    async def close_connections(self) -> None:
        """There are none."""

    def _book(self, limit: Limit) -> _Book:
        book = self._books.setdefault(limit.name, _Book(self._clock))
        book.limit, book.now = limit, self._clock()
        return book


class _Book:
    """One limit: its tickets, what is paid for until when, and the slots that are taken. The moves are those of Lua."""

    limit: Limit
    now: float

    def __init__(self, clock: Callable[[], float]) -> None:
        self.lines = Lines()
        self.paused_until = 0.0
        self._tickets: dict[str, MemoryTicket] = {}
        self._paid: dict[tuple[str, str], float] = {}
        self._slots: Counter[str] = Counter()
        self._hold_seconds = 0.0
        self._age = 0
        self._recent: dict[str, deque[tuple[float, int, int]]] = defaultdict(deque)

    # ---- moves --------------------------------------------------------------------------------

    def serve(self, asking: Sequence[Ticket], held: Sequence[Ticket]) -> Served:
        self._clean_up()
        for renewed in held:
            ticket = self._tickets.get(renewed.id)
            if ticket and ticket.state == "granted" and ticket.wish.owner == renewed.owner:
                ticket.expires_at = self.now + rules.LEASE_SECONDS
        for wish in asking:
            self._take_in(wish)
        while self._serve_next(self.now + rules.AHEAD_SECONDS):
            pass
        return Served([self._answer(wish) for wish in asking], self._call_parked())

    def park(self, wish: Ticket, seconds: float) -> bool:
        ticket = self._tickets.get(wish.id)
        if ticket and ticket.state == "granted" and ticket.wish.owner == wish.owner:
            return False
        if ticket and self.lines.has(ticket):
            ticket.calls = 0
            self.lines.stand(ticket, "parked")
            ticket.expires_at = self.now + seconds + rules.PARKED_SPARE_SECONDS
        return True

    def settle(self, wish: Ticket, tokens: int | None) -> None:
        ticket = self._tickets.get(wish.id)
        if ticket is None or ticket.wish.owner != wish.owner:
            return
        if ticket.state != "granted":
            self._forget(ticket)
            return
        held = max(0.0, self.now - ticket.starts_at)
        self._hold_seconds = self._hold_seconds * 0.8 + held * 0.2 if self._hold_seconds else held
        if tokens is not None:
            more = tokens - ticket.wish.tokens
            for scope in self._scopes(ticket.wish.tenant):
                if scope.token_seconds and more:
                    self._charge("tokens", scope, self.now, more * scope.token_seconds)
                self._recent[scope.name].append((self.now, 0, more))
        self._release(ticket)

    # ---- tickets ------------------------------------------------------------------------------

    def _take_in(self, wish: Ticket) -> None:
        ticket = self._tickets.get(wish.id)
        if ticket and ticket.state == "granted":
            if ticket.wish.owner == wish.owner:
                return
            self._release(ticket)  # whoever was granted it is gone, and may have used it
            ticket = None
        if ticket is None:
            self._age += 1
            ticket = MemoryTicket(wish, (wish.priority, self._age), self.limit.weight_of(wish.tenant))
            self._tickets[wish.id] = ticket
        ticket.wish = wish
        self.lines.stand(ticket, "ready")
        ticket.expires_at = self.now + rules.PRESENCE_SECONDS

    def _clean_up(self) -> None:
        for ticket in [ticket for ticket in self._tickets.values() if ticket.expires_at <= self.now]:
            self._lapse(ticket)

    def _lapse(self, ticket: MemoryTicket) -> None:
        match ticket.state:
            case "granted":
                self._release(ticket)
            case "called" if ticket.calls < rules.MAX_CALLS:
                self.lines.stand(ticket, "parked")
                ticket.expires_at = ticket.lasts_until
            case "called" | "ready":
                self.lines.leave(ticket)
                ticket.state, ticket.expires_at = "absent", self.now + rules.PLACE_SECONDS
            case _:
                self._forget(ticket)

    def _release(self, ticket: MemoryTicket) -> None:
        for scope in self._scopes(ticket.wish.tenant):
            self._slots[scope.name] -= 1
        self._forget(ticket)

    def _forget(self, ticket: MemoryTicket) -> None:
        self.lines.leave(ticket)
        self._tickets.pop(ticket.wish.id, None)

    # ---- serving ------------------------------------------------------------------------------

    def _serve_next(self, horizon: float) -> bool:
        everybody = self._scopes("")[0]
        opens = max(self._opens_at(everybody), self.paused_until)
        if opens > horizon or not self._has_slot(everybody):
            return False
        for tenant in self.lines.tenants("ready"):
            own = self._scopes(tenant)[1]
            starts_at = max(opens, self._opens_at(own))
            if starts_at <= horizon and self._has_slot(own):
                self._grant(self.lines.first("ready", tenant), starts_at)
                return True
        return False

    def _grant(self, ticket: MemoryTicket, starts_at: float) -> None:
        everybody = self._scopes("")[0]
        wish = ticket.wish
        cost = max(everybody.request_seconds or 0, wish.tokens * (everybody.token_seconds or 0)) or 1.0
        self.lines.serve(ticket, cost / ticket.weight)
        for scope in self._scopes(wish.tenant):
            begins = self._opens_at(scope)
            if scope.request_seconds:
                self._charge("requests", scope, begins, scope.request_seconds)
            if scope.token_seconds:
                self._charge("tokens", scope, begins, wish.tokens * scope.token_seconds)
            self._slots[scope.name] += 1
            self._recent[scope.name].append((self.now, 1, wish.tokens))
        ticket.state, ticket.starts_at = "granted", starts_at
        ticket.expires_at = starts_at + rules.LEASE_SECONDS

    def _answer(self, wish: Ticket) -> Answer:
        ticket = self._tickets[wish.id]
        if ticket.state == "granted":
            return Answer(True, max(0.0, ticket.starts_at - self.now))
        return Answer(False, max(0.001, self._wait_of(ticket)))

    def _wait_of(self, ticket: MemoryTicket) -> float:
        everybody, own = self._scopes(ticket.wish.tenant)
        blocked = max(self._opens_at(everybody), self._opens_at(own), self.paused_until) - self.now
        if ticket.calls > 0:
            return blocked
        before = 1 + self.lines.count_before(ticket)
        all_before = min(before * self.lines.count_tenants(), len(self._tickets))
        tokens = ticket.wish.tokens
        return blocked + max(all_before * self._pace(everybody, tokens), before * self._pace(own, tokens))

    def _call_parked(self) -> list[tuple[str, int]]:
        called: list[tuple[str, int]] = []
        soon = self.now + rules.CALL_AHEAD_SECONDS
        if max(self._opens_at(self._scopes("")[0]), self.paused_until) > soon:
            return called
        for tenant in self.lines.tenants("parked"):
            many = self._wanted(tenant) if self._opens_at(self._scopes(tenant)[1]) <= soon else 0
            for ticket in self.lines.line("parked", tenant)[: max(0, many)]:
                ticket.lasts_until, ticket.expires_at = ticket.expires_at, self.now + rules.CALLED_SECONDS
                ticket.calls += 1
                self.lines.stand(ticket, "called")
                called.append((ticket.wish.run_id, ticket.wish.step))
        return called

    def _wanted(self, tenant: str) -> int:
        cost = self._pace(self._scopes("")[0], self.lines.first("parked", tenant).wish.tokens)
        everybodys = min(rules.CALL_AHEAD_SECONDS / cost if cost else rules.MAX_CALLED, rules.MAX_CALLED)
        part = -int(-everybodys // self.lines.count_tenants())
        return max(2, part) - len(self.lines.line("ready", tenant)) - len(self.lines.line("called", tenant))

    # ---- caps ---------------------------------------------------------------------------------

    def _scopes(self, tenant: str) -> tuple[Scope, Scope]:
        return Scope.of(ALL, self.limit), Scope.of(f"tenant:{tenant}", self.limit.per_tenant)

    def _opens_at(self, scope: Scope) -> float:
        opens = self.now
        if scope.request_seconds:
            spread = (self.limit.burst - 1) * scope.request_seconds
            opens = max(opens, self._paid.get(("requests", scope.name), 0.0) - spread)
        if scope.token_seconds:
            opens = max(opens, self._paid.get(("tokens", scope.name), 0.0))
        return opens

    def _charge(self, kind: str, scope: Scope, begins: float, cost: float) -> None:
        self._paid[kind, scope.name] = max(self._paid.get((kind, scope.name), 0.0), begins) + cost

    def _has_slot(self, scope: Scope) -> bool:
        return scope.concurrent is None or self._slots[scope.name] < scope.concurrent

    def _pace(self, scope: Scope, tokens: int) -> float:
        per_slot = (self._hold_seconds or 1.0) / scope.concurrent if scope.concurrent else 0.0
        return max(scope.request_seconds or 0.0, tokens * (scope.token_seconds or 0.0), per_slot)

    # ---- reading ------------------------------------------------------------------------------

    def use(self) -> LimitUse:
        tenants = {name.partition(":")[2] for name in [*self._recent, *self._slots] if name != ALL}
        tenants |= {ticket.wish.tenant for ticket in self._tickets.values()}
        uses = [self._use_of(f"tenant:{tenant}", tenant) for tenant in sorted(tenants)]
        total = self._use_of(ALL, "")
        everybody = TenantUse(
            tenant="",
            requests=total.requests,
            tokens=total.tokens,
            held=total.held,
            waiting=sum(use.waiting for use in uses),
            parked=sum(use.parked for use in uses),
        )
        return LimitUse(max(0.0, self.paused_until - self.now), everybody, uses)

    def _use_of(self, scope: str, tenant: str) -> TenantUse:
        recent = self._recent[scope]
        while recent and recent[0][0] < self.now - 60:
            recent.popleft()
        return TenantUse(
            tenant=tenant,
            requests=sum(requests for _, requests, _ in recent),
            tokens=sum(tokens for _, _, tokens in recent),
            held=self._slots[scope],
            waiting=len(self.lines.line("ready", tenant)),
            parked=len(self.lines.line("parked", tenant)) + len(self.lines.line("called", tenant)),
        )
