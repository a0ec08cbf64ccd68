"""What every ledger promises about one run: start, claim, append."""

from __future__ import annotations

import pytest

from orchestrator.entries import Invoked
from orchestrator.errors import LedgerError, RunConflict
from orchestrator.ledger.base import Fenced, Ledger, Pointer
from orchestrator.ledger.live import Notice
from orchestrator.usage import Usage
from tests.contract.steps import (
    ANSWER,
    claim,
    hand_over,
    log_types,
    new_run,
    output,
    reply,
    start_and_claim,
    started,
)

# ---- start ------------------------------------------------------------------------------------


async def test_start_queues_the_run_at_its_first_step(ledger: Ledger) -> None:
    continuation = {"chain": [], "group": None, "callbacks": [{"task": "mail", "args": []}]}

    pointer = await ledger.start(new_run(queue="fast", priority=3, note="help", continuation=continuation))

    assert pointer == Pointer("run", 1, "agents.triage", "fast", 3, "help", continuation)
    summary = await ledger.summary("run")
    assert summary
    assert (summary.status, summary.step, summary.size, summary.queue) == ("queued", 1, 1, "fast")
    assert summary.updated_at >= summary.started_at > 1_700_000_000
    assert await log_types(ledger) == ["input"]


async def test_start_again_points_to_the_run_while_it_is_queued(ledger: Ledger) -> None:
    first = await ledger.start(new_run())

    again = await ledger.start(new_run())

    assert again == first == Pointer("run", 1, "agents.triage")
    assert await log_types(ledger) == ["input"]


async def test_start_again_says_nothing_once_the_run_is_claimed(ledger: Ledger) -> None:
    await start_and_claim(ledger)

    assert await ledger.start(new_run()) is None


async def test_start_again_says_nothing_once_the_run_is_done(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.end(claimed, claimed.size, [], ANSWER)
    await ledger.close(claimed)

    assert await ledger.start(new_run()) is None


async def test_start_with_other_input_is_a_conflict(ledger: Ledger) -> None:
    await ledger.start(new_run())

    with pytest.raises(RunConflict, match="`run` exists") as raised:
        await ledger.start(new_run(digest="d2"))

    assert raised.value.run_id == "run"


# ---- claim ------------------------------------------------------------------------------------


async def test_claim_gives_everything_that_an_invocation_needs(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger, continuation={"group": "g1"})

    assert (claimed.run_id, claimed.step, claimed.size) == ("run", 1, 2)
    assert (claimed.task, claimed.cancel, claimed.outcome, claimed.parent) == ("agents.triage", False, None, None)
    assert claimed.continuation == {"group": "g1"}
    assert claimed.entries[0] == new_run().entry
    assert claimed.entries[1] == Invoked(step=1, task="agents.triage", worker="w1", fence=claimed.fence)


async def test_claim_of_an_unknown_run_is_stale(ledger: Ledger) -> None:
    assert await ledger.claim("run", 1, message_id="m1", worker="w1") is None


async def test_claim_creates_the_run_of_a_canvas_message(ledger: Ledger) -> None:
    claimed = await claim(ledger, new=new_run(continuation={"chain": [{"task": "next"}]}))

    assert claimed.size == 2
    assert claimed.continuation == {"chain": [{"task": "next"}]}
    assert [summary.run_id for summary in await ledger.recent(5)] == ["run"]


async def test_a_later_step_never_creates_a_run(ledger: Ledger) -> None:
    assert await ledger.claim("run", 2, message_id="m1", worker="w1", new=new_run()) is None
    assert await ledger.summary("run") is None


async def test_the_second_of_two_copies_is_stale(ledger: Ledger) -> None:
    await start_and_claim(ledger)

    assert await ledger.claim("run", 1, message_id="m2", worker="w2") is None


async def test_a_message_of_an_earlier_step_is_stale(ledger: Ledger) -> None:
    await hand_over(ledger, await start_and_claim(ledger))

    assert await ledger.claim("run", 1, message_id="m1", worker="w1") is None


async def test_the_holders_own_message_takes_over_when_it_is_redelivered(ledger: Ledger) -> None:
    first = await start_and_claim(ledger)

    second = await claim(ledger, message="m1")

    assert second.fence > first.fence
    with pytest.raises(Fenced):
        await ledger.append(first, first.size, [reply()])


async def test_an_outcome_is_not_taken_over_by_its_own_message(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.end(claimed, claimed.size, [], ANSWER)

    assert await ledger.claim("run", 1, message_id="m1", worker="w2") is None


# ---- append -----------------------------------------------------------------------------------


async def test_append_records_entries_and_usage(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)

    notice = await ledger.append(claimed, 2, [reply(), started("c1")], usage=Usage(requests=1, total_tokens=9))

    assert notice == Notice()
    assert await log_types(ledger) == ["input", "invocation", "reply", "started"]
    summary = await ledger.summary("run")
    assert summary
    assert (summary.size, summary.usage) == (4, Usage(requests=1, total_tokens=9))


async def test_append_repeated_after_a_lost_connection_is_applied_once(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.append(claimed, 2, [reply(), started("c1")])

    notice = await ledger.append(claimed, 2, [reply(), started("c1")])

    assert notice == Notice()
    assert await log_types(ledger) == ["input", "invocation", "reply", "started"]


async def test_append_to_a_log_of_another_size_is_refused(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)

    with pytest.raises(LedgerError, match="has 2 entries, this invocation expected 4"):
        await ledger.append(claimed, 4, [reply()])


async def test_append_tells_of_a_cancel(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.cancel("run")

    assert await ledger.append(claimed, 2, [reply()]) == Notice(cancel=True)


async def test_a_settled_call_does_not_start_again(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.append(claimed, 2, [started("c1"), output("c1")])

    with pytest.raises(ValueError, match="`c1`"):
        await ledger.append(claimed, 4, [started("c1")])

    assert len(await log_types(ledger)) == 4


async def test_calls_may_be_named_without_entries(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.append(claimed, 2, [reply()], settled=["c1"])

    with pytest.raises(ValueError, match="`c1`"):
        await ledger.append(claimed, 3, [reply()], started=["c1"])


async def test_a_started_call_may_start_again(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.append(claimed, 2, [started("c1")])

    await ledger.append(claimed, 3, [started("c1")])

    assert await log_types(ledger) == ["input", "invocation", "started", "started"]


async def test_nothing_is_added_after_the_outcome(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.end(claimed, claimed.size, [], ANSWER)

    with pytest.raises(LedgerError, match="has its outcome"):
        await ledger.append(claimed, 3, [reply()])
    with pytest.raises(LedgerError, match="has its outcome"):
        await hand_over(ledger, claimed)
