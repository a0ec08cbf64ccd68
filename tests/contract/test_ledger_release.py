"""What every ledger promises about a step that is given back, as a worker does when it is told to stop."""

from __future__ import annotations

import pytest

from orchestrator.entries import Invoked
from orchestrator.errors import LedgerError
from orchestrator.ledger.base import Fenced, Ledger, LedgerSettings
from tests.contract.conftest import MakeLedger
from tests.contract.steps import ANSWER, claim, log_types, reply, start_and_claim


async def test_released_step_is_queued_for_anybody(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)

    [pointer] = await ledger.release(claimed, claimed.size, [reply()])

    assert (pointer.run_id, pointer.step) == ("run", 1)
    assert await log_types(ledger) == ["input", "invocation", "reply"]
    assert (await claim(ledger, message="m2")).fence > claimed.fence


async def test_claim_tells_a_step_that_was_given_back_from_one_whose_worker_is_lost(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.release(claimed, claimed.size, [])

    await claim(ledger, message="m2")
    claimed = await claim(ledger, message="m2")  # delivered again: the one before it is lost

    invocations = [entry for entry in claimed.entries if isinstance(entry, Invoked)]
    assert [entry.after_release for entry in invocations] == [False, True, False]


async def test_release_does_not_count_towards_poison(make_ledger: MakeLedger) -> None:
    ledger = make_ledger(LedgerSettings(max_tries=2))
    claimed = await start_and_claim(ledger)

    for _ in range(4):
        await ledger.release(claimed, claimed.size, [])
        claimed = await claim(ledger, message="again")

    assert claimed.outcome is None


async def test_release_repeated_after_a_lost_connection_is_applied_once(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    first = await ledger.release(claimed, claimed.size, [reply()])

    assert await ledger.release(claimed, claimed.size, [reply()]) == first
    assert await log_types(ledger) == ["input", "invocation", "reply"]


async def test_release_after_another_claim_is_fenced(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.release(claimed, claimed.size, [])
    await claim(ledger, message="m2")

    with pytest.raises(Fenced):
        await ledger.release(claimed, claimed.size, [])


async def test_run_with_an_outcome_is_not_given_back(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.end(claimed, claimed.size, [], ANSWER)

    with pytest.raises(LedgerError):
        await ledger.release(claimed, claimed.size + 1, [])
