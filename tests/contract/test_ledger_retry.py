"""What every ledger promises about runs that repeat others."""

from __future__ import annotations

import pytest

from orchestrator.entries import RetryOf, RunInput
from orchestrator.errors import RunConflict
from orchestrator.ledger.base import Ledger, NewRun
from tests.contract.steps import ANSWER, claim, log_types, new_run, output, reply, start_and_claim, started


def retry(run_id: str = "run.retry1", *, digest: str = "d2") -> NewRun:
    entry = RunInput(agent="triage", items=[], retry=RetryOf(run_id="run", turns=1, origin="run"))
    copied = [reply(), started("c1"), output("c1")]
    return NewRun(run_id=run_id, task="agents.triage", digest=digest, entry=entry, copied=copied)


async def test_a_retry_begins_with_what_it_took_over(ledger: Ledger) -> None:
    await ledger.start(retry())

    claimed = await claim(ledger, "run.retry1")

    assert [entry.type for entry in claimed.entries] == ["input", "reply", "started", "output", "invocation"]
    await ledger.append(claimed, claimed.size, [reply()])
    assert (await log_types(ledger, "run.retry1"))[-1] == "reply"


async def test_both_runs_know_each_other(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.end(claimed, 2, [], ANSWER)
    await ledger.close(claimed)

    await ledger.start(retry())

    old, new = await ledger.summary("run"), await ledger.summary("run.retry1")
    assert old
    assert new
    assert (old.retry_of, old.retried_by) == (None, "run.retry1")
    assert (new.retry_of, new.retried_by) == ("run", None)


async def test_a_retry_that_is_started_twice_is_one(ledger: Ledger) -> None:
    first = await ledger.start(retry())

    assert await ledger.start(retry()) == first
    assert await log_types(ledger, "run.retry1") == ["input", "reply", "started", "output"]
    with pytest.raises(RunConflict):
        await ledger.start(retry(digest="d3"))


async def test_a_retry_of_a_run_that_is_gone_leaves_nothing_in_its_place(ledger: Ledger) -> None:
    await ledger.start(retry())

    assert await ledger.summary("run") is None
    assert await ledger.start(new_run())
