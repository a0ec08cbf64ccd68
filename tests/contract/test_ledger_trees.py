"""What every ledger promises about runs that wait for each other: park, resolve, children's reports, cancel."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator.entries import ChildEnded, HandedOff, Outcome, Output, Parked
from orchestrator.errors import RunConflict
from orchestrator.ledger.base import CancelledMeanwhile, Fenced, Ledger, LedgerSettings, Pointer, child_id
from orchestrator.usage import Usage
from tests.contract.conftest import MakeLedger
from tests.contract.steps import (
    ANSWER,
    claim,
    end_child,
    log_types,
    new_child,
    new_run,
    output,
    park,
    reply,
    start_and_claim,
    started,
)

CHILD_1, CHILD_2 = child_id("run", "c1"), child_id("run", "c2")


async def child_reports(ledger: Ledger, run_id: str = "run") -> list[tuple[str, str]]:
    entries = [entry for _, entry in await ledger.entries(run_id)]
    return [(entry.call_id, entry.outcome.kind) for entry in entries if isinstance(entry, ChildEnded)]


# ---- park and the children's reports ----------------------------------------------------------


async def test_park_creates_its_children_queued(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)

    pointers = await park(ledger, claimed, "c1", "c2")

    assert pointers == [Pointer(CHILD_1, 1, "agents.triage"), Pointer(CHILD_2, 1, "agents.triage")]
    summary = await ledger.summary("run")
    assert summary
    assert (summary.status, summary.step, summary.waits) == ("parked", 1, {"c1": CHILD_1, "c2": CHILD_2})
    child = await claim(ledger, CHILD_1)
    assert child.parent == ("run", "c1")


async def test_park_repeated_after_a_lost_connection_is_applied_once(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    first = await park(ledger, claimed, "c1", "c2")

    assert await park(ledger, claimed, "c1", "c2") == first
    assert await log_types(ledger) == ["input", "invocation", "reply", "parked"]


async def test_park_repeated_after_the_children_have_ended_points_to_the_run(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await park(ledger, claimed, "c1")
    resumed = await end_child(ledger, "run", "c1")

    assert await park(ledger, claimed, "c1") == resumed


async def test_the_last_child_to_end_queues_the_parent(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger, queue="fast", continuation={"group": "g1"})
    await park(ledger, claimed, "c1", "c2")

    assert await end_child(ledger, "run", "c2") == []
    assert await end_child(ledger, "run", "c1") == [
        Pointer("run", 2, "agents.triage", "fast", None, "asks", {"group": "g1"})
    ]

    resumed = await claim(ledger, step=2)
    assert await child_reports(ledger) == [("c2", "answer"), ("c1", "answer")]
    assert resumed.entries[-2] == ChildEnded(call_id="c1", child=CHILD_1, outcome=ANSWER)


async def test_children_that_end_at_once_resume_the_parent_once(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    calls = [f"c{number}" for number in range(20)]
    await park(ledger, claimed, *calls)

    pointers = await asyncio.gather(*(end_child(ledger, "run", call_id) for call_id in calls))

    assert [len(found) for found in pointers].count(1) == 1
    assert len(await child_reports(ledger)) == 20
    summary = await ledger.summary("run")
    assert summary
    assert (summary.status, summary.step, summary.waits) == ("queued", 2, {})


async def test_a_childs_end_repeated_reports_once_and_points_to_the_parent_again(ledger: Ledger) -> None:
    await park(ledger, await start_and_claim(ledger), "c1")
    child = await claim(ledger, CHILD_1)
    first = await ledger.end(child, child.size, [], ANSWER)

    assert await ledger.end(child, child.size, [], ANSWER) == first
    assert await child_reports(ledger) == [("c1", "answer")]


async def test_an_outcome_reaches_the_parent_unchanged(ledger: Ledger) -> None:
    await park(ledger, await start_and_claim(ledger), "c1")
    outcome = Outcome(kind="answer", output={"list": [], "object": {}, "text": 'é"\n/'}, context={"a": []}, history=[])

    await end_child(ledger, "run", "c1", outcome)

    [(_, entry)] = (await ledger.entries("run"))[-1:]
    assert entry == ChildEnded(call_id="c1", child=CHILD_1, outcome=outcome)


async def test_children_are_not_among_the_submitted_runs(ledger: Ledger) -> None:
    await park(ledger, await start_and_claim(ledger), "c1")

    assert [summary.run_id for summary in await ledger.recent(10)] == ["run"]


async def test_a_child_that_has_ended_reports_to_a_second_park_at_once(ledger: Ledger) -> None:
    await park(ledger, await start_and_claim(ledger), "c1")
    await end_child(ledger, "run", "c1")

    pointers = await park(ledger, await claim(ledger, step=2), "c1")

    assert [(pointer.run_id, pointer.step) for pointer in pointers] == [("run", 3)]
    assert await child_reports(ledger) == [("c1", "answer"), ("c1", "answer")]


async def test_park_on_a_taken_child_id_changes_nothing(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.start(new_run(CHILD_2, digest="other"))
    children = [new_child("run", "c1"), new_child("run", "c2")]

    with pytest.raises(RunConflict, match=CHILD_2):
        await ledger.park(claimed, 2, [reply()], children=children, note="")

    assert await log_types(ledger) == ["input", "invocation"]
    assert await ledger.summary(CHILD_1) is None


async def test_a_poisoned_child_reports_its_failure(make_ledger: MakeLedger) -> None:
    ledger = make_ledger(LedgerSettings(max_tries=1))
    await park(ledger, await start_and_claim(ledger), "c1")
    await claim(ledger, CHILD_1)

    await claim(ledger, CHILD_1)

    assert await child_reports(ledger) == [("c1", "failure")]
    assert (await claim(ledger, step=2)).cancel is False


# ---- resolve ----------------------------------------------------------------------------------


async def test_the_first_decision_wins(ledger: Ledger) -> None:
    await park(ledger, await start_and_claim(ledger), "c1")

    first = await ledger.resolve("run", "c1", output("c1"))
    second = await ledger.resolve("run", "c1", Output(call_id="c1", tool="refund", output="no"))

    assert [(pointer.run_id, pointer.step) for pointer in first] == [("run", 2)]
    assert second == []
    assert (await log_types(ledger))[-1] == "output"


@pytest.mark.parametrize("run_id", ["run", "unknown"])
async def test_a_wait_that_is_not_open_is_ignored(ledger: Ledger, run_id: str) -> None:
    await park(ledger, await start_and_claim(ledger), "c1")

    assert await ledger.resolve(run_id, "c9", output("c9")) == []
    assert (await log_types(ledger))[-1] == "parked"


async def test_a_child_that_reports_too_late_is_ignored(ledger: Ledger) -> None:
    await park(ledger, await start_and_claim(ledger), "c1")
    await ledger.resolve("run", "c1", output("c1"))

    assert await end_child(ledger, "run", "c1") == []
    assert await child_reports(ledger) == []


# ---- cancel -----------------------------------------------------------------------------------


async def test_cancel_of_an_unknown_run_waits_for_it(ledger: Ledger) -> None:
    assert await ledger.cancel("run") == []
    assert await ledger.summary("run") is None

    assert await ledger.start(new_run()) == Pointer("run", 1, "agents.triage")
    assert (await claim(ledger)).cancel is True


async def test_cancel_of_a_queued_run_is_seen_by_its_claim(ledger: Ledger) -> None:
    await ledger.start(new_run())

    assert await ledger.cancel("run") == []
    assert (await claim(ledger)).cancel is True


async def test_cancel_of_a_running_run_is_told_by_renew(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)

    await ledger.cancel("run")

    assert await ledger.renew([("run", claimed.fence)]) == ["cancel"]


async def test_cancel_of_a_parked_run_wakes_it_and_descends(ledger: Ledger) -> None:
    await park(ledger, await start_and_claim(ledger), "c1", "c2")
    await park(ledger, await claim(ledger, CHILD_1), "deeper")
    grandchild = child_id(CHILD_1, "deeper")

    pointers = await ledger.cancel("run")

    assert sorted((pointer.run_id, pointer.step) for pointer in pointers) == sorted([("run", 2), (CHILD_1, 2)])
    for run_id, step in (("run", 2), (CHILD_1, 2), (CHILD_2, 1), (grandchild, 1)):
        assert (await claim(ledger, run_id, step)).cancel is True


async def test_cancel_repeated_points_to_the_woken_run_again(ledger: Ledger) -> None:
    await park(ledger, await start_and_claim(ledger), "c1")
    [woken] = await ledger.cancel("run")

    assert await ledger.cancel("run") == [woken]


async def test_cancel_after_the_outcome_is_too_late(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.end(claimed, 2, [], ANSWER)

    assert await ledger.cancel("run") == []

    summary = await ledger.summary("run")
    assert summary
    assert (summary.cancel, summary.outcome) == (False, ANSWER)


async def test_a_cancelled_run_ends_as_cancelled_whatever_it_wanted_to_end_with(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.cancel("run")

    outcome, _ = await ledger.end(claimed, 2, [reply()], Outcome(kind="answer", usage=Usage(requests=3)))

    assert (outcome.kind, outcome.usage) == ("cancelled", Usage(requests=3))
    assert await log_types(ledger) == ["input", "invocation", "reply", "outcome"]


async def test_a_cancelled_outcome_of_the_callers_own_is_kept(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.cancel("run")
    own = Outcome(kind="cancelled", agent="triage", history=[], context={"a": []})

    assert await ledger.end(claimed, 2, [], own) == (own, [])


async def test_a_cancelled_run_ends_instead_of_handing_over(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.append(claimed, 2, [started("c1")])
    await ledger.cancel("run")
    moves = [reply(), HandedOff(source="triage", target="billing", outputs=[])]

    for _ in range(2):  # the second call repeats the first after a lost connection
        with pytest.raises(CancelledMeanwhile) as raised:
            await ledger.hand_over(
                claimed, 3, moves, task="agents.billing", queue=None, note="", usage=Usage(requests=1)
            )
        assert (raised.value.outcome.kind, raised.value.outcome.usage) == ("cancelled", Usage(requests=1))

    assert await log_types(ledger) == ["input", "invocation", "started", "reply", "output", "outcome"]
    assert await ledger.renew([("run", claimed.fence)]) == ["held"]
    await ledger.close(claimed)


async def test_a_cancelled_child_ends_instead_of_parking_and_reports(ledger: Ledger) -> None:
    await park(ledger, await start_and_claim(ledger), "c1")
    child = await claim(ledger, CHILD_1)
    await ledger.cancel(CHILD_1)

    with pytest.raises(CancelledMeanwhile) as raised:
        await park(ledger, child, "deeper")

    assert [(pointer.run_id, pointer.step) for pointer in raised.value.pointers] == [("run", 2)]
    assert await child_reports(ledger) == [("c1", "cancelled")]
    assert await ledger.summary(child_id(CHILD_1, "deeper")) is None


async def test_a_child_that_was_cancelled_in_advance_keeps_its_flag(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.cancel(CHILD_1)

    await ledger.park(claimed, 2, [Parked(waits={"c1": CHILD_1})], children=[new_child("run", "c1")], note="")

    assert (await claim(ledger, CHILD_1)).cancel is True


async def test_a_fenced_holder_cannot_commit_in_any_way(ledger: Ledger) -> None:
    zombie = await start_and_claim(ledger)
    await claim(ledger)

    with pytest.raises(Fenced):
        await ledger.append(zombie, 2, [reply()])
    with pytest.raises(Fenced):
        await park(ledger, zombie, "c1")
    with pytest.raises(Fenced):
        await ledger.hand_over(zombie, 2, [], task="agents.billing", queue=None, note="")
    with pytest.raises(Fenced):
        await ledger.end(zombie, 2, [], ANSWER)
    with pytest.raises(Fenced):
        await ledger.close(zombie)
    assert await ledger.renew([("run", zombie.fence), ("unknown", 1)]) == ["fenced", "fenced"]
    assert await log_types(ledger) == ["input", "invocation", "invocation"]
