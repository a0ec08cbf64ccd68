"""Contract: a run that another one waits for is done when it ends, and its worker may take the flow that this wakes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.entries import Invoked, Outcome, Parked
from orchestrator.ledger.base import CancelledMeanwhile, Claim, Ended, Fenced, Ledger, LedgerSettings, Taker
from orchestrator.run_ids import child_id
from tests.contract.conftest import MakeLedger
from tests.contract.steps import ANSWER, child_reports, claim, end_child, new_child, new_run, reply, until

FLOW = "flows.blog"
TAKER = Taker(FLOW, message_id="in-passing/1", worker="w2")
CHILD_1 = child_id("run", "c1")


async def park_flow(ledger: Ledger, *calls: str, queue: str | None = None, run_id: str = "run") -> Claim:
    """A flow that waits for members, as its holder knew it."""
    await ledger.start(replace(new_run(run_id, queue=queue), task=FLOW))
    return await park_again(ledger, await claim(ledger, run_id), *calls)


async def park_again(ledger: Ledger, claimed: Claim, *calls: str) -> Claim:
    children = [new_child(claimed.run_id, call_id) for call_id in calls]
    waits = {call_id: child.run_id for call_id, child in zip(calls, children, strict=True)}
    await ledger.park(claimed, claimed.size, [Parked(waits=waits)], children=children, note="")
    return claimed


async def end_member(ledger: Ledger, call_id: str = "c1", *, taker: Taker | None = TAKER, run_id: str = "run") -> Ended:
    child = await claim(ledger, child_id(run_id, call_id))
    return await ledger.end(child, child.size, [], ANSWER, taker=taker)


async def status_of(ledger: Ledger, run_id: str) -> str:
    summary = await ledger.summary(run_id)
    assert summary
    return summary.status


async def test_a_childs_end_leaves_nothing_to_deliver(ledger: Ledger) -> None:
    await park_flow(ledger, "c1", "c2")
    child = await claim(ledger, CHILD_1)

    ended = await ledger.end(child, child.size, [reply()], ANSWER)

    assert ended == Ended(ANSWER, [], is_done=True)
    assert await status_of(ledger, CHILD_1) == "done"
    assert await ledger.deadline(CHILD_1) is None
    await ledger.close(child)  # as a process of before would
    assert await ledger.claim(CHILD_1, 1, message_id="m1", worker="w1") is None


async def test_a_childs_end_is_repeated_in_vain(ledger: Ledger) -> None:
    await park_flow(ledger, "c1")
    child = await claim(ledger, CHILD_1)
    first = await ledger.end(child, child.size, [], ANSWER)

    assert [pointer.run_id for pointer in first.pointers] == ["run"]
    assert await ledger.end(child, child.size, [], Outcome(kind="failure")) == first
    assert await child_reports(ledger) == [("c1", "answer")]


async def test_an_ended_child_refuses_what_another_holder_writes(ledger: Ledger) -> None:
    await park_flow(ledger, "c1")
    child = await claim(ledger, CHILD_1)
    zombie = replace(child, fence=child.fence - 1)
    await ledger.end(child, child.size, [], ANSWER)

    with pytest.raises(Fenced):
        await ledger.end(zombie, zombie.size, [], ANSWER)
    with pytest.raises(Fenced):
        await ledger.append(child, child.size, [reply()])


async def test_an_ended_child_expires(hasty: Ledger) -> None:
    await park_flow(hasty, "c1", "c2")
    await end_member(hasty)

    async def is_gone() -> bool:
        return await hasty.summary(CHILD_1) is None

    await until(is_gone)
    assert await child_reports(hasty) == [("c1", "answer")]


async def test_a_child_that_was_cancelled_meanwhile_is_done_as_cancelled(ledger: Ledger) -> None:
    await park_flow(ledger, "c1", "c2")
    child = await claim(ledger, CHILD_1)
    await ledger.cancel("run")

    ended = await ledger.end(child, child.size, [], ANSWER)

    assert (ended.outcome.kind, ended.is_done) == ("cancelled", True)
    assert await status_of(ledger, CHILD_1) == "done"


async def test_the_last_members_worker_takes_the_flow(ledger: Ledger) -> None:
    before = await park_flow(ledger, "c1", "c2")
    assert (await end_member(ledger, "c1")).woken is None

    ended = await end_member(ledger, "c2")

    woken = ended.woken
    assert woken is not None
    assert ended.pointers == []
    assert (woken.run_id, woken.step, woken.task, woken.worker) == ("run", 2, FLOW, "w2")
    assert woken.fence > before.fence
    assert [entry.type for entry in woken.entries[-3:]] == ["child", "child", "invocation"]
    assert woken.size == len(woken.entries)
    assert [entry.in_passing for entry in woken.entries if isinstance(entry, Invoked)] == [False, True]
    assert await ledger.claim("run", 2, message_id="m9", worker="w1") is None
    await park_again(ledger, woken, "c3")
    assert await status_of(ledger, "run") == "parked"


async def test_an_end_repeated_takes_the_flow_again(ledger: Ledger) -> None:
    await park_flow(ledger, "c1")
    child = await claim(ledger, CHILD_1)
    first = (await ledger.end(child, child.size, [], ANSWER, taker=TAKER)).woken

    again = await ledger.end(child, child.size, [], ANSWER, taker=TAKER)

    assert first
    assert again.woken
    assert (again.woken.step, again.pointers, again.outcome) == (2, [], ANSWER)
    assert again.woken.fence > first.fence
    assert await child_reports(ledger) == [("c1", "answer")]


async def test_an_end_repeated_leaves_the_flow_to_whoever_has_taken_it(ledger: Ledger) -> None:
    await park_flow(ledger, "c1")
    child = await claim(ledger, CHILD_1)
    await ledger.end(child, child.size, [], ANSWER)
    await claim(ledger, "run", 2, message="m2")

    assert await ledger.end(child, child.size, [], ANSWER, taker=TAKER) == Ended(ANSWER, [], is_done=True)


async def test_a_flow_with_a_queue_is_left_to_its_workers(ledger: Ledger) -> None:
    await park_flow(ledger, "c1", queue="flows")

    ended = await end_member(ledger)

    assert ended.woken is None
    assert [(pointer.run_id, pointer.queue) for pointer in ended.pointers] == [("run", "flows")]


async def test_another_task_than_the_takers_is_left_to_others(ledger: Ledger) -> None:
    await park_flow(ledger, "c1")

    ended = await end_member(ledger, taker=Taker("flows.other", message_id="in-passing/1", worker="w2"))

    assert ended.woken is None
    assert [pointer.run_id for pointer in ended.pointers] == ["run"]


async def test_a_flow_that_is_taken_in_passing_lapses_after_the_grace_unless_it_is_renewed(
    make_ledger: MakeLedger,
) -> None:
    ledger = make_ledger(LedgerSettings(grace_seconds=0.1, lease_seconds=3600))
    for run_id in ("forgotten", "kept"):
        await park_flow(ledger, "c1", run_id=run_id)
    await end_member(ledger, run_id="forgotten")
    kept = (await end_member(ledger, run_id="kept")).woken
    assert kept
    await ledger.renew([("kept", kept.fence)])

    [pointer] = await until(lambda: ledger.reconcile(10))

    assert pointer.run_id == "forgotten"


async def test_a_flow_that_is_paused_is_taken_with_the_news(ledger: Ledger) -> None:
    await park_flow(ledger, "c1")
    child = await claim(ledger, CHILD_1)
    await ledger.pause("run", request_id="p1")

    woken = (await ledger.end(child, child.size, [], ANSWER, taker=TAKER)).woken

    assert woken
    assert woken.pause


async def test_a_flow_that_is_cancelled_once_it_is_taken_is_delivered_by_its_taker(ledger: Ledger) -> None:
    await park_flow(ledger, "c1")
    woken = (await end_member(ledger)).woken
    assert woken
    await ledger.cancel("run")

    with pytest.raises(CancelledMeanwhile) as cancelled:
        await park_again(ledger, woken, "c2")

    assert (cancelled.value.outcome.kind, cancelled.value.pointers) == ("cancelled", [])
    await ledger.close(woken)
    assert await status_of(ledger, "run") == "done"


async def test_a_flow_that_ends_once_it_is_taken_is_delivered_by_its_taker(ledger: Ledger) -> None:
    await park_flow(ledger, "c1")
    woken = (await end_member(ledger)).woken
    assert woken

    ended = await ledger.end(woken, woken.size, [], ANSWER)

    assert ended == Ended(ANSWER)
    assert await ledger.end(woken, woken.size, [], Outcome(kind="failure")) == ended
    await ledger.close(woken)
    assert await status_of(ledger, "run") == "done"
    with pytest.raises(Fenced):
        await ledger.end(woken, woken.size, [], ANSWER)


async def test_a_flow_that_its_taker_has_not_delivered_is_published_when_the_lease_lapses(
    make_ledger: MakeLedger,
) -> None:
    ledger = make_ledger(LedgerSettings(grace_seconds=3600, lease_seconds=0.1))
    await park_flow(ledger, "c1")
    woken = (await end_member(ledger)).woken
    assert woken
    await ledger.end(woken, woken.size, [], ANSWER)

    [pointer] = await until(lambda: ledger.reconcile(10))

    assert (pointer.run_id, pointer.step) == ("run", 2)
    assert (await claim(ledger, "run", 2)).outcome == ANSWER
    with pytest.raises(Fenced):
        await ledger.close(woken)


async def test_a_cancel_that_a_flow_meets_once_it_is_taken_may_be_heard_of_again(ledger: Ledger) -> None:
    await park_flow(ledger, "c1")
    woken = (await end_member(ledger)).woken
    assert woken
    await ledger.cancel("run")

    heard = []
    for _ in range(2):
        with pytest.raises(CancelledMeanwhile) as cancelled:
            await park_again(ledger, woken, "c2")
        heard.append((cancelled.value.outcome, cancelled.value.pointers))

    assert heard[0] == heard[1]


async def test_an_end_repeated_does_not_take_a_flow_that_has_ended_meanwhile(ledger: Ledger) -> None:
    await park_flow(ledger, "c1")
    child = await claim(ledger, CHILD_1)
    woken = (await ledger.end(child, child.size, [], ANSWER, taker=TAKER)).woken
    assert woken
    await ledger.cancel("run")
    with pytest.raises(CancelledMeanwhile):
        await park_again(ledger, woken, "c2")

    again = await ledger.end(child, child.size, [], ANSWER, taker=TAKER)

    assert again == Ended(ANSWER, [], is_done=True)


async def test_a_childs_end_without_a_taker_publishes_the_flow(ledger: Ledger) -> None:
    await park_flow(ledger, "c1")

    [pointer] = await end_child(ledger, "run", "c1")

    assert (pointer.run_id, pointer.step, pointer.task) == ("run", 2, FLOW)
