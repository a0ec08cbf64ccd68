"""Rates and shares over minutes, by a clock of the test's own: the store in memory, and processes that look at it."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.ledger.limits import Ticket
from orchestrator.ledger.limits_memory import MemoryLimitStore
from orchestrator.limiter import LOOK_SECONDS
from orchestrator.limits import Caps, Limit

PROCESSES = 3
MINUTES = 2


@dataclass
class Fleet:
    """Processes whose tenants always want more than there is. Each keeps a few wishes of each tenant waiting."""

    limit: Limit
    tenants: Mapping[str, int]
    """Wishes that each process has waiting, by tenant."""
    seconds_a_call: float = 0.2
    now: float = 1_000.0
    starts: list[tuple[float, str]] = field(default_factory=list)

    async def work(self, seconds: float) -> None:
        store = MemoryLimitStore(clock=lambda: self.now)
        waiting: dict[int, list[Ticket]] = defaultdict(list)
        under_way: list[tuple[float, Ticket]] = []
        made, until = 0, self.now + seconds
        while self.now < until:
            self.now += LOOK_SECONDS / PROCESSES  # they take turns
            process = made % PROCESSES
            for ended in [pair for pair in under_way if pair[0] <= self.now]:
                under_way.remove(ended)
                await store.settle(self.limit, ended[1])
            for tenant, wanted in self.tenants.items():
                missing = wanted - sum(wish.tenant == tenant for wish in waiting[process])
                for _ in range(missing):
                    made += 1
                    waiting[process].append(Ticket(f"t{made}", f"w{process}", f"run{made}", tenant=tenant))
            made += 1
            asking = waiting[process]
            served = await store.serve(self.limit, asking)
            for wish, answer in zip(list(asking), served.answers, strict=True):
                if answer.is_granted:
                    asking.remove(wish)
                    self.starts.append((self.now + answer.seconds, wish.tenant))
                    under_way.append((self.now + answer.seconds + self.seconds_a_call, wish))

    def most_in(self, seconds: float) -> int:
        times = sorted(time for time, _ in self.starts)
        return max(bisect_left(times, first + seconds) - index for index, first in enumerate(times))

    def shares(self) -> dict[str, float]:
        counts = Counter(tenant for _, tenant in self.starts)
        return {tenant: count / len(self.starts) for tenant, count in counts.items()}


async def test_three_tenants_use_all_but_two_percent_of_a_limit_and_share_it() -> None:
    fleet = Fleet(Limit(requests_per_minute=600), {"large": 12, "middle": 6, "small": 3})

    await fleet.work(60 * MINUTES)

    assert 0.98 * 600 * MINUTES <= len(fleet.starts) <= 600 * MINUTES
    assert fleet.most_in(60) <= 600
    assert min(fleet.shares().values()) >= 0.9 / 3


async def test_weights_hold_over_minutes() -> None:
    fleet = Fleet(Limit(requests_per_minute=600, weights={"paying": 3}), {"paying": 8, "free": 8})

    await fleet.work(60)

    assert 0.72 <= fleet.shares()["paying"] <= 0.78


async def test_tenants_caps_hold_over_minutes() -> None:
    fleet = Fleet(Limit(requests_per_minute=600, per_tenant=Caps(requests_per_minute=60)), {"a": 4, "b": 4})

    await fleet.work(60 * MINUTES)

    for tenant in ("a", "b"):
        count = sum(who == tenant for _, who in fleet.starts)
        assert 0.97 * 60 * MINUTES <= count <= 60 * MINUTES


async def test_tokens_are_shared_however_large_the_calls_of_one_tenant_are() -> None:
    limit = Limit(tokens_per_minute=60_000)
    store_now = [1_000.0]
    store = MemoryLimitStore(clock=lambda: store_now[0])
    spent: Counter[str] = Counter()
    sizes = {"large": 4_000, "small": 400}
    waiting = {name: Ticket(f"{name}0", "w", "run", tenant=name, tokens=size) for name, size in sizes.items()}

    for number in range(1, int(300 / LOOK_SECONDS)):
        store_now[0] += LOOK_SECONDS
        asking = list(waiting.values())
        served = await store.serve(limit, asking)
        for wish, answer in zip(asking, served.answers, strict=True):
            if answer.is_granted:
                spent[wish.tenant] += wish.tokens
                await store.settle(limit, wish, tokens=wish.tokens)
                waiting[wish.tenant] = Ticket(
                    f"{wish.tenant}{number}", "w", "run", tenant=wish.tenant, tokens=wish.tokens
                )

    assert spent.total() <= 5 * 60_000 + 4_000
    assert spent["small"] >= 0.25 * spent.total()
