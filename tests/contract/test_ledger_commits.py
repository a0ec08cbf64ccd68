"""What every ledger promises about a run's commits: hand over, end, close, and giving up on poison."""

from __future__ import annotations

import pytest

from orchestrator.entries import Outcome, Output
from orchestrator.errors import LedgerError
from orchestrator.ledger.base import Ended, Fenced, Ledger, LedgerSettings, Pointer
from orchestrator.usage import Usage
from tests.contract.conftest import MakeLedger
from tests.contract.steps import (
    ANSWER,
    claim,
    hand_over,
    log_types,
    output,
    reply,
    start_and_claim,
    started,
)


async def test_hand_over_queues_the_next_step_for_the_other_agent(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger, queue="fast", priority=7, continuation={"group": "g1"})

    pointers = await hand_over(ledger, claimed)

    assert pointers == [Pointer("run", 2, "agents.billing", "slow", 7, "bills", {"group": "g1"})]
    assert await log_types(ledger) == ["input", "invocation", "reply", "handoff"]
    again = await claim(ledger, step=2)
    assert (again.task, again.priority, again.continuation) == ("agents.billing", 7, {"group": "g1"})


async def test_hand_over_to_the_default_queue_forgets_the_old_one(ledger: Ledger) -> None:
    [pointer] = await hand_over(ledger, await start_and_claim(ledger, queue="fast"), queue=None)

    assert pointer.queue is None


async def test_hand_over_repeated_after_a_lost_connection_is_applied_once(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    first = await hand_over(ledger, claimed)

    assert await hand_over(ledger, claimed) == first
    assert len(await log_types(ledger)) == 4


async def test_hand_over_repeated_after_the_next_claim_is_fenced(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await hand_over(ledger, claimed)
    await claim(ledger, step=2)

    with pytest.raises(Fenced):
        await hand_over(ledger, claimed)


async def test_end_records_the_outcome_and_leaves_only_its_delivery(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    outcome = Outcome(kind="answer", output={"rows": [], "more": {}}, usage=Usage(requests=2), history=[])

    assert await ledger.end(claimed, 2, [reply()], outcome) == Ended(outcome)

    assert await log_types(ledger) == ["input", "invocation", "reply", "outcome"]
    summary = await ledger.summary("run")
    assert summary
    assert (summary.status, summary.outcome, summary.usage) == ("running", outcome, Usage(requests=2))


async def test_end_repeated_gives_the_outcome_that_counts(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.end(claimed, 2, [], ANSWER)

    counts = (await ledger.end(claimed, 2, [], Outcome(kind="failure"))).outcome

    assert counts == ANSWER
    assert await log_types(ledger) == ["input", "invocation", "outcome"]


async def test_end_settles_calls_that_were_started_as_unknown(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.append(claimed, 2, [started("c2"), started("c1"), started("c3"), output("c3")])

    await ledger.end(claimed, 6, [], Outcome(kind="failure"))

    outputs = [entry for _, entry in await ledger.entries("run") if isinstance(entry, Output)]
    assert [(entry.call_id, entry.tool, entry.failed) for entry in outputs] == [
        ("c3", "refund", False),
        ("c1", "refund", True),
        ("c2", "refund", True),
    ]
    assert (await log_types(ledger))[-1] == "outcome"


async def test_end_knows_the_outputs_that_come_with_it(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.append(claimed, 2, [started("c1")])

    await ledger.end(claimed, 3, [output("c1")], ANSWER)

    assert await log_types(ledger) == ["input", "invocation", "started", "output", "outcome"]


async def test_close_ends_the_run_and_may_be_repeated(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.end(claimed, 2, [], ANSWER)

    await ledger.close(claimed)
    await ledger.close(claimed)

    summary = await ledger.summary("run")
    assert summary
    assert summary.status == "done"


async def test_a_run_without_outcome_is_not_closed(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)

    with pytest.raises(LedgerError, match="no outcome"):
        await ledger.close(claimed)


# ---- poison -----------------------------------------------------------------------------------


async def test_a_run_that_kills_its_workers_is_given_up(make_ledger: MakeLedger) -> None:
    ledger = make_ledger(LedgerSettings(max_tries=2))
    claimed = await start_and_claim(ledger)
    await ledger.append(claimed, 2, [reply()], usage=Usage(requests=1))
    for _ in range(2):
        claimed = await claim(ledger)
        await ledger.append(claimed, claimed.size, [started("c1")])

    poisoned = await claim(ledger)

    assert poisoned.outcome
    assert (poisoned.outcome.kind, poisoned.outcome.usage) == ("failure", Usage(requests=1))
    assert poisoned.outcome.error
    assert poisoned.outcome.error["type"] == "RunPoisoned"
    assert [entry.type for entry in poisoned.entries[-3:]] == ["invocation", "output", "outcome"]
    assert poisoned.size == len(poisoned.entries)


async def test_results_clear_the_count_of_tries(make_ledger: MakeLedger) -> None:
    ledger = make_ledger(LedgerSettings(max_tries=2))
    claimed = await start_and_claim(ledger)
    for entry in (reply(), output("c1"), reply()):
        claimed = await claim(ledger)
        assert claimed.outcome is None
        await ledger.append(claimed, claimed.size, [entry])

    assert (await claim(ledger)).outcome is None
