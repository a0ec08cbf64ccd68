"""What every store of limits promises: rates, slots, fairness and priorities."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from itertools import pairwise

import pytest

from orchestrator.ledger import limits as rules
from orchestrator.ledger.limits import LimitStore
from orchestrator.limits import Caps, Limit
from tests.contract.limit_steps import drain, granted, ticket

# ---- rates --------------------------------------------------------------------------------------


async def test_requests_are_spread_evenly(store: LimitStore) -> None:
    limit = Limit(model="even", requests_per_minute=600)
    tickets = [ticket(str(number)) for number in range(40)]

    served = await store.serve(limit, tickets)

    starts = [answer.seconds for answer in served.answers if answer.is_granted]
    assert 3 <= len(starts) <= 1 + rules.AHEAD_SECONDS / 0.1
    gaps = [later - earlier for earlier, later in pairwise(starts)]
    assert gaps == pytest.approx([0.1 / rules.HEADROOM] * len(gaps), abs=0.002)


async def test_no_stretch_of_time_has_more_starts_than_the_limit(store: LimitStore) -> None:
    limit = Limit(model="never", requests_per_minute=6000)
    waiting = [ticket(str(number)) for number in range(400)]
    starts: list[tuple[float, float]] = []
    """The earliest and the latest time at which each may be: the store read its clock in between."""

    began = time.monotonic()
    while time.monotonic() - began < 1.5:
        asked_at = time.monotonic()
        served = await store.serve(limit, waiting)
        answered_at = time.monotonic()
        pairs = list(zip(waiting, served.answers, strict=True))
        granted_now = [answer.seconds for _, answer in pairs if answer.is_granted]
        starts += [(asked_at + seconds, answered_at + seconds) for seconds in granted_now]
        waiting = [wish for wish, answer in pairs if not answer.is_granted]
        await asyncio.sleep(0.05)

    # By the starts that the store gave out, as far as they are surely within half a second of each other.
    for earliest_first, latest_first in starts:
        within = sum(latest_first <= earliest and latest < earliest_first + 0.5 for earliest, latest in starts)
        assert within <= 50 + 5
    assert len(starts) > 50  # how many a busy machine gets through: tests/unit/test_limit_shares.py


async def test_pause_costs_no_burst(store: LimitStore) -> None:
    limit = Limit(model="calm", requests_per_minute=6)
    assert await granted(store, limit, [ticket("a")]) == ["a"]
    assert await granted(store, limit, [ticket("b"), ticket("c")]) == []


async def test_burst_lets_some_go_at_once(store: LimitStore) -> None:
    limit = Limit(model="bursty", requests_per_minute=60, burst=3)

    assert len(await granted(store, limit, [ticket(str(number)) for number in range(9)])) == 3


async def test_tokens_hold_the_next_call_back(store: LimitStore) -> None:
    limit = Limit(model="tokens", tokens_per_minute=60_000)
    assert await granted(store, limit, [ticket("a", tokens=20_000)]) == ["a"]

    served = await store.serve(limit, [ticket("b", tokens=10)])

    assert not served.answers[0].is_granted
    assert 10 < served.answers[0].seconds < 22  # 20, less what has passed since


async def test_real_usage_replaces_the_estimate(store: LimitStore) -> None:
    limit = Limit(model="settled", tokens_per_minute=60_000)
    first = ticket("a", tokens=30_000)
    await store.serve(limit, [first])
    assert await granted(store, limit, [ticket("b", tokens=10)]) == []

    await store.settle(limit, first, tokens=10)

    assert await granted(store, limit, [ticket("b", tokens=10)]) == ["b"]


async def test_usage_above_the_estimate_holds_the_next_call_back(store: LimitStore) -> None:
    limit = Limit(model="dear", tokens_per_minute=60_000)
    first = ticket("a", tokens=10)
    await store.serve(limit, [first])

    await store.settle(limit, first, tokens=30_000)

    assert await granted(store, limit, [ticket("b", tokens=10)]) == []


async def test_server_that_asks_for_a_pause_gets_it(store: LimitStore) -> None:
    limit = Limit(model="asked")
    await store.pause(limit, 30)
    await store.pause(limit, 1)  # does not shorten it

    served = await store.serve(limit, [ticket("a")])

    assert not served.answers[0].is_granted
    assert 20 < served.answers[0].seconds <= 31
    assert 20 < (await store.use(limit)).paused_seconds <= 30


# ---- slots --------------------------------------------------------------------------------------


async def test_no_more_calls_at_once_than_there_are_slots(store: LimitStore) -> None:
    limit = Limit(model="slots", concurrent=2)
    tickets = [ticket(name) for name in "abc"]
    assert await granted(store, limit, tickets) == ["a", "b"]

    await store.settle(limit, tickets[0])

    assert await granted(store, limit, [tickets[2]]) == ["c"]


async def test_slot_of_a_worker_that_died_is_free_after_its_lease(store: LimitStore, hasty_limits: None) -> None:
    limit = Limit(model="dead", concurrent=1)
    await store.serve(limit, [ticket("a")])
    assert await granted(store, limit, [ticket("b")]) == []

    assert await drain(store, limit, [ticket("b")], 1) == ["b"]


async def test_slot_is_kept_while_it_is_renewed(store: LimitStore, hasty_limits: None) -> None:
    limit = Limit(model="alive", concurrent=1)
    held = ticket("a")
    await store.serve(limit, [held])

    for _ in range(5):
        await asyncio.sleep(0.8)
        served = await store.serve(limit, [ticket("b")], [held])
        assert not served.answers[0].is_granted


async def test_ticket_asked_for_again_is_the_same_one(store: LimitStore) -> None:
    limit = Limit(model="again", concurrent=1)

    assert await granted(store, limit, [ticket("a")]) == ["a"]
    assert await granted(store, limit, [ticket("a")]) == ["a"]
    assert (await store.use(limit)).total.held == 1


async def test_another_invocation_gets_nothing_of_what_the_first_was_granted(store: LimitStore) -> None:
    limit = Limit(model="heir", requests_per_minute=1)
    await store.serve(limit, [ticket("a", owner="dead")])

    served = await store.serve(limit, [ticket("a", owner="heir")])

    assert not served.answers[0].is_granted
    await store.settle(limit, ticket("a", owner="dead"))  # a zombie's word: no longer its ticket
    assert (await store.use(limit)).total.waiting == 1


# ---- tenants ------------------------------------------------------------------------------------


async def test_tenant_with_many_wishes_does_not_delay_one_of_another(store: LimitStore) -> None:
    limit = Limit(model="fair", concurrent=1)
    crowd = [ticket(f"a{number}", "a") for number in range(300)]
    await store.serve(limit, crowd)

    order = await drain(store, limit, [*crowd, ticket("b", "b")], 4)

    assert "b" in order


async def test_tenants_get_their_shares_by_weight(store: LimitStore) -> None:
    limit = Limit(model="shares", concurrent=1, weights={"a": 2})
    crowd = [ticket(f"{tenant}{number}", tenant) for tenant in "abc" for number in range(60)]

    order = await drain(store, limit, crowd, 60)

    shares = Counter(name[0] for name in order)
    assert shares["a"] == pytest.approx(30, abs=2)
    assert shares["b"] == pytest.approx(15, abs=2)


async def test_tenant_that_was_away_gains_nothing_by_it(store: LimitStore) -> None:
    limit = Limit(model="away", concurrent=1)
    early = [ticket(f"a{number}", "a") for number in range(30)]
    await drain(store, limit, early, 30)

    crowd = [ticket(f"{tenant}x{number}", tenant) for tenant in "ab" for number in range(20)]
    order = await drain(store, limit, crowd, 20)

    assert Counter(name[0] for name in order)["a"] == pytest.approx(10, abs=1)


async def test_tenant_at_its_own_cap_does_not_hold_others_up(store: LimitStore) -> None:
    limit = Limit(model="capped", concurrent=3, per_tenant=Caps(concurrent=1))
    tickets = [ticket("a1", "a"), ticket("a2", "a"), ticket("b1", "b")]

    assert await granted(store, limit, tickets) == ["a1", "b1"]


async def test_tenants_rate_is_its_own(store: LimitStore) -> None:
    limit = Limit(model="own-rate", per_tenant=Caps(requests_per_minute=10))
    tickets = [ticket("a1", "a"), ticket("a2", "a"), ticket("b1", "b")]

    assert await granted(store, limit, tickets) == ["a1", "b1"]


async def test_higher_priority_goes_first_in_its_tenants_line_alone(store: LimitStore) -> None:
    limit = Limit(model="urgent", concurrent=1)
    tickets = [ticket("a-low", "a", priority=9), ticket("b", "b", priority=9), ticket("a-high", "a", priority=0)]

    order = await drain(store, limit, tickets, 3)

    assert order.index("a-high") < order.index("a-low")
    assert order.index("b") < 2
