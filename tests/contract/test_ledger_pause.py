"""What every ledger promises about pauses: a run and all below it rest at their next step, until they are resumed."""

from __future__ import annotations

import time

import pytest

from orchestrator.entries import Outcome, Parked
from orchestrator.errors import RunNotFound, WrongRunState
from orchestrator.ledger.base import CancelledMeanwhile, Claim, Fenced, Ledger, Pointer
from orchestrator.ledger.live import Notice
from orchestrator.run_ids import child_id
from tests.contract.steps import ANSWER, claim, end_child, log_types, new_run, park, reply, start_and_claim, until
from tests.contract.test_ledger_budget import budgeted

CHILD = child_id("run", "c1")


async def pause(ledger: Ledger, run_id: str = "run") -> None:
    await ledger.pause(run_id, request_id=f"pause {run_id}")


async def resume(ledger: Ledger, run_id: str = "run") -> list[tuple[str, int]]:
    return steps(await ledger.resume(run_id, request_id=f"resume {run_id}"))


async def rest(ledger: Ledger, claimed: Claim) -> list[tuple[str, int]]:
    return steps(await ledger.rest(claimed, claimed.size, [Parked(paused=True)]))


def steps(pointers: list[Pointer]) -> list[tuple[str, int]]:
    return sorted((pointer.run_id, pointer.step) for pointer in pointers)


async def status(ledger: Ledger, run_id: str = "run") -> tuple[str, bool]:
    summary = await ledger.summary(run_id)
    assert summary
    return summary.status, summary.pause


async def test_a_running_run_is_told_rests_and_goes_on(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await pause(ledger)

    assert await ledger.append(claimed, 2, [reply()]) == Notice(pause=True)
    assert steps(await ledger.rest(claimed, 3, [Parked(paused=True)])) == []
    assert await status(ledger) == ("parked", True)
    assert await ledger.claim("run", 1, message_id="m2", worker="w") is None

    assert await resume(ledger) == [("run", 2)]
    assert await status(ledger) == ("queued", False)
    assert (await claim(ledger, step=2)).pause is False
    assert (await log_types(ledger))[:4] == ["input", "invocation", "reply", "parked"]


async def test_a_queued_run_is_told_at_its_claim(ledger: Ledger) -> None:
    await ledger.start(new_run())
    await pause(ledger)

    assert (await claim(ledger)).pause is True


async def test_a_resting_run_has_no_deadline(hasty: Ledger) -> None:
    claimed = await start_and_claim(hasty)
    await pause(hasty)
    await rest(hasty, claimed)

    assert await hasty.deadline("run") is None


async def test_a_resting_run_is_woken_when_its_time_is_over(ledger: Ledger) -> None:
    await ledger.start(budgeted(deadline_at=time.time() + 0.3))
    claimed = await claim(ledger)
    await pause(ledger)
    await rest(ledger, claimed)

    [pointer] = await until(lambda: ledger.reconcile(10))

    assert (pointer.run_id, pointer.step) == ("run", 2)


async def test_a_run_that_was_resumed_before_it_could_rest_is_queued_again(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await pause(ledger)
    assert await resume(ledger) == []

    assert await rest(ledger, claimed) == [("run", 1)]

    assert await status(ledger) == ("queued", False)


async def test_all_below_rest_and_go_on_too(ledger: Ledger) -> None:
    await park(ledger, await start_and_claim(ledger), "c1", "c2")
    child = await claim(ledger, CHILD)
    await pause(ledger)

    assert await rest(ledger, child) == []
    assert (await claim(ledger, child_id("run", "c2"))).pause is True
    assert await resume(ledger) == [(CHILD, 2)]  # the parent waits on, the other child had not rested yet
    assert (await claim(ledger, CHILD, 2)).pause is False


async def test_a_parent_whose_last_child_ends_is_told_when_it_is_woken(ledger: Ledger) -> None:
    await park(ledger, await start_and_claim(ledger), "c1")
    child = await claim(ledger, CHILD)
    await pause(ledger)
    await ledger.end(child, child.size, [], ANSWER)

    parent = await claim(ledger, step=2)

    assert parent.pause is True
    assert await rest(ledger, parent) == []
    assert await resume(ledger) == [("run", 3)]


async def test_children_of_a_paused_run_are_born_paused(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await pause(ledger)

    await park(ledger, claimed, "c1")

    assert (await claim(ledger, CHILD)).pause is True
    await resume(ledger)
    assert await status(ledger, CHILD) == ("running", False)


async def test_a_resting_run_keeps_what_it_waits_for(ledger: Ledger) -> None:
    await park(ledger, await start_and_claim(ledger), "c1")
    await end_child(ledger, "run", "c1")
    claimed = await claim(ledger, step=2)
    await park(ledger, claimed, "c2")
    await pause(ledger)

    assert await resume(ledger) == []
    assert await status(ledger) == ("parked", False)


async def test_a_cancel_ends_a_resting_run(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await pause(ledger)
    await rest(ledger, claimed)

    assert steps(await ledger.cancel("run")) == [("run", 2)]
    assert (await claim(ledger, step=2)).cancel is True


async def test_a_cancelled_run_ends_instead_of_resting(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await pause(ledger)
    await ledger.cancel("run")

    with pytest.raises(CancelledMeanwhile):
        await rest(ledger, claimed)

    assert await log_types(ledger) == ["input", "invocation", "outcome"]


async def test_a_fenced_holder_cannot_rest(ledger: Ledger) -> None:
    zombie = await start_and_claim(ledger)
    await claim(ledger)

    with pytest.raises(Fenced):
        await rest(ledger, zombie)


# ---- repeated after a lost connection -----------------------------------------------------------


async def test_everything_may_be_said_twice(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await pause(ledger)
    await pause(ledger)
    await rest(ledger, claimed)
    assert await rest(ledger, claimed) == []

    assert await resume(ledger) == [("run", 2)]
    assert await resume(ledger) == [("run", 2)]
    assert await rest(ledger, claimed) == [("run", 2)]


# ---- bad input ----------------------------------------------------------------------------------


async def test_a_paused_run_is_not_paused_again_nor_resumed_twice(ledger: Ledger) -> None:
    await ledger.start(new_run())
    await pause(ledger)

    with pytest.raises(WrongRunState, match="Run `run` is paused already"):
        await ledger.pause("run", request_id="another")
    await resume(ledger)
    with pytest.raises(WrongRunState, match="Run `run` is not paused"):
        await ledger.resume("run", request_id="another")


async def test_a_run_that_has_ended_is_neither_paused_nor_resumed(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.end(claimed, 2, [], Outcome(kind="answer"))

    with pytest.raises(WrongRunState, match="has ended or is being cancelled"):
        await pause(ledger)
    with pytest.raises(WrongRunState, match="has ended"):
        await resume(ledger)


async def test_a_run_that_is_cancelled_is_not_paused(ledger: Ledger) -> None:
    await ledger.start(new_run())
    await ledger.cancel("run")

    with pytest.raises(WrongRunState):
        await pause(ledger)


async def test_a_run_that_nobody_knows_is_not_found(ledger: Ledger) -> None:
    with pytest.raises(RunNotFound):
        await pause(ledger)
    with pytest.raises(RunNotFound):
        await resume(ledger)
