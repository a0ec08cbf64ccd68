"""What every store of limits promises to those who wait: their place is kept, they are called, none blocks the line."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator.ledger import limits as rules
from orchestrator.ledger.limits import LimitStore
from orchestrator.limits import Limit
from tests.contract.limit_steps import drain, granted, ticket


async def test_ticket_that_nobody_asks_for_does_not_hold_up_the_line(store: LimitStore, hasty_limits: None) -> None:
    limit = Limit(model="gone", concurrent=1)
    held = ticket("held")
    await store.serve(limit, [held])
    await store.serve(limit, [ticket("vanished")], [held])
    await asyncio.sleep(0.25)
    await store.settle(limit, held)

    assert await drain(store, limit, [ticket("b")], 1) == ["b"]


async def test_one_that_comes_back_has_its_old_place(store: LimitStore, hasty_limits: None) -> None:
    limit = Limit(model="back", concurrent=1)
    held, first, second = ticket("held"), ticket("first"), ticket("second")
    await store.serve(limit, [held])
    await store.serve(limit, [first], [held])
    await asyncio.sleep(0.25)
    await store.serve(limit, [second], [held])
    await store.serve(limit, [second, first], [held])
    await store.settle(limit, held)

    assert await granted(store, limit, [second, first]) == ["first"]


async def test_parked_run_is_called_when_its_turn_is_near_and_not_before(
    store: LimitStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "CALL_AHEAD_SECONDS", 50.0)
    limit = Limit(model="parked", requests_per_minute=12)
    tickets = [ticket(str(number)) for number in range(30)]
    await store.serve(limit, tickets)
    for wish in tickets[2:]:
        assert await store.park(limit, wish, seconds=60)

    called = (await store.serve(limit, [])).called

    assert called
    assert called == [(f"run-{number}", 1) for number in range(2, 2 + len(called))]
    assert len(called) <= 1 + rules.CALL_AHEAD_SECONDS / 5
    assert (await store.serve(limit, [])).called == []


async def test_parked_run_that_does_not_come_is_called_again_then_given_up(
    store: LimitStore, hasty_limits: None
) -> None:
    limit = Limit(model="deaf", concurrent=1)
    wish = ticket("deaf")
    held = ticket("held")
    await store.serve(limit, [held, wish])
    await store.park(limit, wish, seconds=60)

    calls = 0
    for _ in range(40):
        calls += len((await store.serve(limit, [], [held])).called)
        await asyncio.sleep(0.03)

    assert calls == rules.MAX_CALLS
    assert (await store.use(limit)).total.parked == 0


async def test_parked_run_keeps_its_place(store: LimitStore) -> None:
    limit = Limit(model="kept", concurrent=1)
    held, parked, later = ticket("held"), ticket("parked"), ticket("later")
    await store.serve(limit, [held, parked])
    await store.park(limit, parked, seconds=60)
    await store.serve(limit, [later])
    await store.serve(limit, [parked, later])

    await store.settle(limit, held)

    assert await granted(store, limit, [later, parked]) == ["parked"]


async def test_run_that_parks_as_it_is_granted_goes_on_instead(store: LimitStore) -> None:
    limit = Limit(model="late", concurrent=1)
    held, wish = ticket("held"), ticket("wish")
    await store.serve(limit, [held, wish])
    await store.settle(limit, held)
    await store.serve(limit, [])  # somebody else's look grants it

    assert not await store.park(limit, wish, seconds=60)


async def test_wish_that_is_taken_back_is_gone(store: LimitStore) -> None:
    limit = Limit(model="cancelled", concurrent=1)
    held, wish = ticket("held"), ticket("wish")
    await store.serve(limit, [held, wish])

    await store.settle(limit, wish)

    assert (await store.use(limit)).total.waiting == 0


async def test_use_tells_what_each_tenant_has(store: LimitStore) -> None:
    limit = Limit(model="use", concurrent=1)
    a, b, parked = ticket("a", "a", tokens=100), ticket("b", "b"), ticket("c", "b")
    await store.serve(limit, [a, b, parked])
    await store.park(limit, parked, seconds=60)
    await store.settle(limit, a, tokens=70)

    use = await store.use(limit)

    tenants = {tenant.tenant: tenant for tenant in use.tenants}
    assert (tenants["a"].requests, tenants["a"].tokens, tenants["a"].held) == (1, 70, 0)
    assert (tenants["b"].waiting, tenants["b"].parked) == (1, 1)
    assert (use.total.requests, use.total.waiting, use.total.parked) == (1, 1, 1)
