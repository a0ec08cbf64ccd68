"""What every ledger promises about budgets: the whole tree's spending, counted once, in the scripts that record it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from orchestrator.budget import Budget, Spent
from orchestrator.entries import Outcome, Reply, RunInput, RunOptions
from orchestrator.ledger.base import Claim, Ledger, NewRun
from orchestrator.run_ids import child_id
from orchestrator.usage import Usage
from tests.contract.steps import claim, output, started, until


def budgeted(run_id: str = "run", *, parent: tuple[str, str] | None = None, **options: Any) -> NewRun:
    options = {"budget": Budget(tokens=1000, money=5, turns=10, tool_calls=10), **options}
    entry = RunInput(agent="triage", items=[], options=RunOptions(**options))
    return NewRun(run_id=run_id, task="agents.triage", digest="d", entry=entry, parent=parent)


def costing(tokens: int, micros: int = 0) -> Reply:
    return Reply(agent="triage", items=[], usage=Usage(requests=1, total_tokens=tokens), cost_micros=micros)


async def begin(ledger: Ledger, **options: Any) -> Claim:
    await ledger.start(budgeted(**options))
    return await claim(ledger)


async def append(ledger: Ledger, claimed: Claim, *entries: Any, at: int | None = None) -> Spent:
    notice = await ledger.append(claimed, claimed.size if at is None else at, entries)
    assert notice.spent is not None
    return notice.spent


def amounts(spent: Spent | None) -> tuple[int, float, int, int]:
    assert spent is not None
    return spent.tokens, spent.money, spent.turns, spent.tool_calls


async def test_a_run_without_a_budget_counts_nothing(ledger: Ledger) -> None:
    await ledger.start(budgeted(budget=None))
    claimed = await claim(ledger)

    notice = await ledger.append(claimed, 2, [costing(5)])

    assert (claimed.spent, notice.spent) == (None, None)


async def test_spending_is_counted_by_what_is_recorded(ledger: Ledger) -> None:
    claimed = await begin(ledger)

    first = await append(ledger, claimed, costing(100, 250_000), started("c1"), started("c2"))
    second = await append(ledger, claimed, output("c1"), costing(50, 1), at=5)

    assert amounts(claimed.spent) == (0, 0, 0, 0)
    assert amounts(first) == (100, 0.25, 1, 2)
    assert amounts(second) == (150, 0.250001, 2, 2)


async def test_a_repeated_append_is_counted_once(ledger: Ledger) -> None:
    claimed = await begin(ledger)

    await append(ledger, claimed, costing(100), started("c1"))
    again = await append(ledger, claimed, costing(100), started("c1"))

    assert amounts(again) == (100, 0, 1, 1)


async def test_a_call_that_starts_again_after_a_crash_is_counted_once(ledger: Ledger) -> None:
    await append(ledger, await begin(ledger), costing(100), started("c1"))

    successor = await claim(ledger)
    spent = await append(ledger, successor, started("c1"))

    assert amounts(successor.spent) == (100, 0, 1, 1)
    assert amounts(spent) == (100, 0, 1, 1)


async def test_every_way_to_record_a_reply_counts_it(ledger: Ledger) -> None:
    claimed = await begin(ledger)
    await ledger.release(claimed, claimed.size, [costing(1)])
    claimed = await claim(ledger)
    await ledger.hand_over(claimed, claimed.size, [costing(10)], task="agents.billing", queue=None, note="")
    claimed = await claim(ledger, step=2)
    await ledger.park(claimed, claimed.size, [costing(100)], children=[], note="", timer_at=time.time() - 1)
    await until(lambda: ledger.reconcile(10))
    claimed = await claim(ledger, step=3)

    assert amounts(claimed.spent) == (111, 0, 3, 0)
    await ledger.end(claimed, claimed.size, [costing(1000)], Outcome(kind="answer"))
    late = budgeted(child_id("run", "late"), parent=("run", "late"))
    assert amounts((await claim(ledger, late.run_id, new=late)).spent) == (1111, 0, 4, 0)


async def test_children_count_into_their_root(ledger: Ledger) -> None:
    claimed = await begin(ledger)
    child = budgeted(child_id("run", "c1"), parent=("run", "c1"))
    await ledger.park(claimed, claimed.size, [costing(100)], children=[child], note="")

    held = await claim(ledger, child.run_id)
    spent = await append(ledger, held, costing(20), started("deep"))

    assert amounts(held.spent) == (100, 0, 1, 1)  # an agent called as a tool is a tool call
    assert amounts(spent) == (120, 0, 2, 2)
    await ledger.end(held, held.size + 2, [], Outcome(kind="answer"))
    assert amounts((await claim(ledger, step=2)).spent) == (120, 0, 2, 2)


async def test_a_tool_on_another_queue_counts_when_it_starts(ledger: Ledger) -> None:
    claimed = await begin(ledger)
    entry = RunInput(agent="weigh", items=[], options=RunOptions(budget=Budget(tool_calls=5)))
    tool = NewRun(run_id=child_id("run", "c1"), task="tools.weigh", digest="d", entry=entry, parent=("run", "c1"))
    await ledger.park(claimed, claimed.size, [], children=[tool], note="")
    held = await claim(ledger, tool.run_id)

    spent = await append(ledger, held, started("c1"))

    assert (amounts(held.spent)[3], amounts(spent)[3]) == (0, 1)


async def test_one_run_of_the_tree_is_to_give_each_warning(ledger: Ledger) -> None:
    claimed = await begin(ledger, budget=Budget(tokens=100, turns=2, warn_at=0.5))
    child = budgeted(child_id("run", "c1"), parent=("run", "c1"), budget=Budget(tokens=100, turns=2, warn_at=0.5))
    await ledger.park(claimed, claimed.size, [costing(20)], children=[child], note="")
    held = await claim(ledger, child.run_id)
    spent = await append(ledger, held, costing(40))
    await ledger.end(held, held.size + 1, [], Outcome(kind="answer"))

    parent = await claim(ledger, step=2)

    assert dict(spent.warned) == {"turns": "run", "tokens": child.run_id}
    assert parent.spent is not None
    assert dict(parent.spent.warned) == dict(spent.warned)


async def test_time_is_counted_from_the_roots_beginning(ledger: Ledger) -> None:
    claimed = await begin(ledger, budget=Budget(seconds=100, warn_at=0.002))
    await asyncio.sleep(0.25)

    spent = await append(ledger, claimed, costing(1))

    assert spent.seconds >= 0.2
    assert dict(spent.warned) == {"seconds": "run"}


async def test_a_parked_run_is_woken_when_its_time_is_over(ledger: Ledger) -> None:
    began = time.monotonic()
    claimed = await begin(ledger, budget=Budget(seconds=2.0))
    child = budgeted(child_id("run", "c1"), parent=("run", "c1"), budget=Budget(seconds=2.0))
    await ledger.park(claimed, claimed.size, [], children=[child], note="")
    held = await claim(ledger, child.run_id)

    [pointer] = await until(lambda: ledger.reconcile(10))

    assert time.monotonic() - began >= 1.9
    assert (pointer.run_id, pointer.step) == ("run", 2)
    assert (await ledger.renew([(child.run_id, held.fence)])) == ["held"]


async def test_a_parked_run_is_woken_at_its_deadline_if_that_comes_first(ledger: Ledger) -> None:
    claimed = await begin(ledger, budget=Budget(seconds=100), deadline_at=time.time() + 0.3)
    await ledger.park(claimed, claimed.size, [], children=[], note="", timer_at=time.time() + 50)

    [pointer] = await until(lambda: ledger.reconcile(10))

    assert (pointer.run_id, pointer.step) == ("run", 2)


async def test_tags_and_metadata_are_in_the_summary(ledger: Ledger) -> None:
    await ledger.start(budgeted(tags=("night", "ä"), metadata={"customer": 7}))

    summary = await ledger.summary("run")

    assert summary is not None
    assert (summary.tags, dict(summary.metadata)) == (("night", "ä"), {"customer": 7})


async def test_recent_runs_can_be_had_by_tag(ledger: Ledger) -> None:
    for number in range(6):
        await ledger.start(budgeted(f"run{number}", tags=("even",) if number % 2 == 0 else ()))

    found = await ledger.recent(2, tag="even")

    assert {summary.run_id for summary in found} <= {"run0", "run2", "run4"}
    assert len(found) == 2
    assert await ledger.recent(5, tag="none") == []
