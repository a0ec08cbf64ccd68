"""What every ledger promises tenants: thousands of runs of one do not stand before another's in the queue."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.ledger.base import Ledger, LedgerSettings
from tests.contract.conftest import MakeLedger
from tests.contract.steps import claim, log_types, new_child, new_run, park, start_and_claim, until


@pytest.fixture
def narrow(make_ledger: MakeLedger) -> Ledger:
    """Two runs of a lane have a message at a time."""
    return make_ledger(LedgerSettings(queued_per_lane=2))


async def start(ledger: Ledger, *names: str, tenant: str = "acme", **fields: Any) -> list[str]:
    """The runs that were published."""
    pointers = [await ledger.start(new_run(name, tenant=tenant, **fields)) for name in names]
    return [pointer.run_id for pointer in pointers if pointer]


async def published(ledger: Ledger) -> list[str]:
    return [pointer.run_id for pointer in await ledger.reconcile(10)]


async def test_runs_beyond_the_lanes_size_are_held_back(narrow: Ledger) -> None:
    assert await start(narrow, "a1", "a2", "a3", "a4") == ["a1", "a2"]

    summary = await narrow.summary("a4")
    assert summary is not None
    assert summary.status == "queued"
    assert await published(narrow) == []


async def test_other_tenants_and_other_queues_have_lanes_of_their_own(narrow: Ledger) -> None:
    await start(narrow, "a1", "a2", "a3")

    assert await start(narrow, "b1", tenant="other") == ["b1"]
    assert await start(narrow, "a-slow", queue="slow") == ["a-slow"]
    assert await start(narrow, "c1", "c2", "c3", tenant="") == ["c1", "c2", "c3"]


async def test_claim_of_one_publishes_the_next_and_only_that(narrow: Ledger) -> None:
    await start(narrow, "a1", "a2", "a3", "a4")

    await claim(narrow, "a1")

    assert await published(narrow) == ["a3"]
    assert await published(narrow) == []


async def test_held_back_runs_come_by_priority_and_age(narrow: Ledger) -> None:
    await start(narrow, "a1", "a2")
    await start(narrow, "low", "low2", priority=9)
    await start(narrow, "high", priority=1)

    for name in ("a1", "a2"):
        await claim(narrow, name)

    assert sorted(await published(narrow)) == ["high", "low"]


async def test_submit_that_is_repeated_does_not_pass_the_lane(narrow: Ledger) -> None:
    await start(narrow, "a1", "a2", "a3")

    assert await start(narrow, "a3") == []
    assert await start(narrow, "a1") == ["a1"]


async def test_held_back_run_that_is_cancelled_ends_at_once(narrow: Ledger) -> None:
    await start(narrow, "a1", "a2", "a3")

    assert [pointer.run_id for pointer in await narrow.cancel("a3")] == ["a3"]

    assert (await claim(narrow, "a3")).cancel


async def test_held_back_run_can_be_claimed_by_a_message_that_exists(narrow: Ledger) -> None:
    await start(narrow, "a1", "a2", "a3")

    await claim(narrow, "a3")
    await claim(narrow, "a1")

    assert await log_types(narrow, "a3") == ["input", "invocation"]
    assert await published(narrow) == []  # it works: its lease must not be cut short


async def test_message_that_starts_its_run_itself_is_not_held_back(narrow: Ledger) -> None:
    await start(narrow, "a1", "a2")

    await claim(narrow, "canvas", new=new_run("canvas", tenant="acme"))

    assert await start(narrow, "a3") == []


async def test_children_of_a_run_are_not_held_back(narrow: Ledger) -> None:
    claimed = await start_and_claim(narrow, "a1", tenant="acme")
    await start(narrow, "a2", "a3", "a4")

    pointers = await park(narrow, claimed, "c1", "c2", "c3")

    assert len(pointers) == 3
    assert new_child("a1", "c1", tenant="acme").lane is None


async def test_lane_that_stands_still_is_passed_in_the_end(make_ledger: MakeLedger) -> None:
    ledger = make_ledger(LedgerSettings(queued_per_lane=1, held_back_seconds=0.2))
    await start(ledger, "a1", "a2")

    assert await until(lambda: published(ledger)) == ["a2"]
