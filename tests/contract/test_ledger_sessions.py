"""What every ledger promises about sessions: one run at a time, nobody forgotten, every exchange once."""

from __future__ import annotations

import asyncio
import time

import pytest

from orchestrator.entries import RunInput, RunOptions
from orchestrator.errors import SessionBusy
from orchestrator.ledger.base import Ledger, LedgerSettings, NewRun, Pointer
from orchestrator.ledger.sessions import Joining
from tests.contract.conftest import MakeLedger
from tests.contract.session_steps import converse, end, history_of, line, said, start
from tests.contract.steps import claim, log_types, until

# ---- the floor ----------------------------------------------------------------------------------


async def test_first_run_gets_the_floor_at_once(ledger: Ledger) -> None:
    pointer = await start(ledger, "a")

    assert pointer == Pointer("a", 1, "agents.triage")
    assert await line(ledger) == ("a", [])
    assert await log_types(ledger, "a") == ["input", "history"]


async def test_second_run_waits_without_a_pointer(ledger: Ledger) -> None:
    await start(ledger, "a")

    assert await start(ledger, "b") is None

    assert await line(ledger) == ("a", ["b"])
    assert await ledger.claim("b", 1, message_id="m", worker="w") is None
    summary = await ledger.summary("b")
    assert summary
    assert summary.status == "parked"


async def test_end_gives_the_floor_to_the_next_with_all_that_was_said(ledger: Ledger) -> None:
    for run_id in "abc":
        await start(ledger, run_id)

    first = await end(ledger, await claim(ledger, "a"), "hello")
    second = await end(ledger, await claim(ledger, "b"), "how", "are")

    assert [(pointer.run_id, pointer.step) for pointer in [*first, *second]] == [("b", 1), ("c", 1)]
    assert history_of(await claim(ledger, "c")) == ["hello", "how", "are"]
    assert await line(ledger) == ("c", [])


async def test_run_is_started_once_and_waits_once(ledger: Ledger) -> None:
    await start(ledger, "a")
    await start(ledger, "b")

    assert await start(ledger, "b") is None
    again = await start(ledger, "a")

    assert again == Pointer("a", 1, "agents.triage")
    assert await line(ledger) == ("a", ["b"])


async def test_end_repeated_after_a_lost_connection_adds_its_exchange_once(ledger: Ledger) -> None:
    await start(ledger, "a")
    await start(ledger, "b")
    claimed = await claim(ledger, "a")

    first = await end(ledger, claimed, "hello")
    second = await end(ledger, claimed, "hello")

    assert first == second == [Pointer("b", 1, "agents.triage")]
    assert await ledger.exchanges("chat") == [said("hello")]
    assert await line(ledger) == ("b", [])


async def test_busy_session_refuses_a_run_that_does_not_want_to_wait(ledger: Ledger) -> None:
    await start(ledger, "a")

    with pytest.raises(SessionBusy, match="Session `chat` is busy with run `a`") as raised:
        await start(ledger, "b", if_busy="reject")

    assert raised.value.run_id == "a"
    assert await ledger.summary("b") is None
    assert await line(ledger) == ("a", [])


async def test_idle_session_refuses_nobody(ledger: Ledger) -> None:
    await converse(ledger, "hello")

    assert await start(ledger, "b", if_busy="reject") is not None


async def test_session_is_free_before_the_answer_is_delivered(ledger: Ledger) -> None:
    await start(ledger, "a")
    await end(ledger, await claim(ledger, "a"), "hello")

    assert await start(ledger, "b", if_busy="reject") is not None


async def test_interrupting_run_is_the_next(ledger: Ledger) -> None:
    for run_id in "ab":
        await start(ledger, run_id)

    await start(ledger, "c", if_busy="interrupt")

    assert await line(ledger) == ("a", ["c", "b"])


# ---- nobody is forgotten ------------------------------------------------------------------------


async def test_cancelled_run_leaves_the_line(ledger: Ledger) -> None:
    for run_id in "abc":
        await start(ledger, run_id)
    await claim(ledger, "a")

    [pointer] = await ledger.cancel("b")
    assert await end(ledger, await claim(ledger, "b", pointer.step), "never said") == []

    assert await line(ledger) == ("a", ["c"])
    assert await ledger.exchanges("chat") == []


async def test_run_that_was_cancelled_in_line_is_passed_over(ledger: Ledger) -> None:
    for run_id in "abc":
        await start(ledger, run_id)
    await ledger.cancel("b")

    pointers = await end(ledger, await claim(ledger, "a"), "hello")

    assert [pointer.run_id for pointer in pointers] == ["c"]
    assert await line(ledger) == ("c", [])


async def test_poisoned_run_keeps_the_floor_until_it_is_delivered(hasty: Ledger) -> None:
    await start(hasty, "a")
    await start(hasty, "b")
    for number in range(3):
        poisoned = await claim(hasty, "a", message=f"m{number}")
        if poisoned.outcome is None:
            await until(lambda: hasty.reconcile(5))
    assert poisoned.outcome is not None
    assert await line(hasty) == ("a", ["b"])

    first = await hasty.leave_session(poisoned, said("hello"))
    second = await hasty.leave_session(poisoned, said("hello"))

    assert [pointer.run_id for pointer in first] == [pointer.run_id for pointer in second] == ["b"]
    assert await hasty.exchanges("chat") == [said("hello")]


async def test_waiting_run_is_looked_after_when_the_floor_holder_is_lost(hasty: Ledger) -> None:
    await start(hasty, "a")
    await start(hasty, "b")
    await lose(hasty, "a")

    pointers = await until(lambda: hasty.reconcile(5))

    assert "b" in [pointer.run_id for pointer in pointers]
    assert await line(hasty) == ("b", [])


async def test_next_submit_moves_a_line_whose_holder_is_lost(ledger: Ledger) -> None:
    await start(ledger, "a")
    await start(ledger, "b")
    await lose(ledger, "a")

    pointer = await start(ledger, "c")

    assert pointer is not None
    assert pointer.run_id == "b"
    assert await line(ledger) == ("b", ["c"])


async def test_waiting_run_stays_in_line_when_its_deadline_passes(make_ledger: MakeLedger) -> None:
    ledger = make_ledger(LedgerSettings(max_grace_seconds=0.3, lease_seconds=60))
    await start(ledger, "a")
    await claim(ledger, "a")
    await start(ledger, "b")

    for _ in range(8):
        await asyncio.sleep(0.1)
        assert await ledger.reconcile(5) == []

    assert await line(ledger) == ("a", ["b"])


async def test_run_whose_time_is_over_is_woken_in_line(ledger: Ledger) -> None:
    await start(ledger, "a")
    entry = RunInput(agent="triage", items=[], options=RunOptions(deadline_at=time.time() + 0.2))
    await ledger.start(NewRun("b", "agents.triage", "d", entry, joining=Joining("chat")))

    [pointer] = await until(lambda: ledger.reconcile(5))

    assert (pointer.run_id, pointer.step) == ("b", 2)
    assert await end(ledger, await claim(ledger, "b", 2), "never said") == [Pointer("a", 1, "agents.triage")]
    assert await line(ledger) == ("a", [])


async def lose(ledger: Ledger, run_id: str) -> None:
    """The server loses a run's data."""
    if hasattr(ledger, "_runs"):
        del ledger._runs._runs[run_id]
        return
    await ledger._connection.command("DEL", ledger._keys.run(run_id), ledger._keys.log(run_id))  # type: ignore[attr-defined]
