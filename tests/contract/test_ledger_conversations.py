"""What every ledger promises about what was said in a session: who is given it, summed up, changed by hand."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from orchestrator.entries import Item, SessionHistory
from orchestrator.ledger.base import Claim, Ledger, NewRun, Pointer
from orchestrator.ledger.sessions import Joining
from tests.contract.session_steps import converse, end, history_of, said, start
from tests.contract.steps import ANSWER, claim, hand_over, new_run

# ---- what a run is given ------------------------------------------------------------------------


async def test_next_run_goes_to_the_agent_who_had_the_last_one(ledger: Ledger) -> None:
    await start(ledger, "a")
    await hand_over(ledger, await claim(ledger, "a"))
    await end(ledger, await claim(ledger, "a", 2), "pay me")

    pointer = await start(ledger, "b")

    assert pointer == Pointer("b", 1, "agents.billing", "slow")
    [_, history, _] = (await claim(ledger, "b")).entries
    assert isinstance(history, SessionHistory)
    assert history.agent == "billing"


async def test_run_may_start_at_its_own_agent(ledger: Ledger) -> None:
    await start(ledger, "a")
    await hand_over(ledger, await claim(ledger, "a"))
    await end(ledger, await claim(ledger, "a", 2), "pay me")

    pointer = await start(ledger, "b", keeps_agent=False)

    assert pointer == Pointer("b", 1, "agents.triage")


async def test_run_is_given_the_latest_exchanges(ledger: Ledger) -> None:
    await converse(ledger, "one", "two", "three")

    await start(ledger, "b", keep_last=2)

    assert history_of(await claim(ledger, "b")) == ["two", "three"]
    assert await ledger.exchanges("chat", 1) == [said("three")]


async def test_empty_exchange_is_none(ledger: Ledger) -> None:
    await start(ledger, "a")
    await end(ledger, await claim(ledger, "a"))

    assert await ledger.exchanges("chat") == []


async def test_history_keeps_every_item_as_it_was(ledger: Ledger) -> None:
    items: list[Item] = [
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "ü \"'", "list": []}]},
        {"type": "function_call", "name": "t", "call_id": "c", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": [], "empty": {}},
    ]
    await start(ledger, "a")
    claimed = await claim(ledger, "a")
    await ledger.end(claimed, claimed.size, [], ANSWER, exchange=items)

    await start(ledger, "b")

    [_, history, _] = (await claim(ledger, "b")).entries
    assert isinstance(history, SessionHistory)
    assert history.items == items


# ---- summing up ---------------------------------------------------------------------------------


async def sum_up(ledger: Ledger, *, keep: int, **how: Any) -> Claim:
    await start(ledger, "sum", compacts=True, keep_last=keep, keeps_agent=False, **how)
    return await claim(ledger, "sum")


async def test_summary_takes_the_place_of_what_it_sums_up(ledger: Ledger) -> None:
    await converse(ledger, "one", "two", "three")

    claimed = await sum_up(ledger, keep=1)
    await end(ledger, claimed, "counting")

    assert history_of(claimed) == ["one", "two"]
    assert await ledger.exchanges("chat") == [said("counting"), said("three")]


async def test_summary_that_failed_changes_nothing(ledger: Ledger) -> None:
    await converse(ledger, "one", "two")

    await end(ledger, await sum_up(ledger, keep=0))

    assert await ledger.exchanges("chat") == [said("one"), said("two")]


@pytest.mark.parametrize("edit", ["clear", "pop", "add"])
async def test_summary_of_what_has_changed_meanwhile_is_dropped(ledger: Ledger, edit: str) -> None:
    await converse(ledger, "one", "two")
    claimed = await sum_up(ledger, keep=0)
    match edit:
        case "clear":
            await ledger.clear_session("chat")
        case "pop":
            await ledger.pop_exchange("chat")
        case _:
            await ledger.add_exchange("chat", said("new"))
    left = await ledger.exchanges("chat")

    await end(ledger, claimed, "secret")

    assert await ledger.exchanges("chat") == left


async def test_summariser_does_not_get_the_conversation(ledger: Ledger) -> None:
    await converse(ledger, "one")
    await ledger.start(
        NewRun(
            "sum", "agents.summariser", "d", new_run().entry, joining=Joining("chat", keeps_agent=False, compacts=True)
        )
    )
    await end(ledger, await claim(ledger, "sum"), "summary")

    pointer = await start(ledger, "b")

    assert pointer is not None
    assert pointer.task == "agents.triage"


# ---- by hand ------------------------------------------------------------------------------------


async def test_exchanges_are_added_and_taken_off_by_hand(ledger: Ledger) -> None:
    await ledger.add_exchange("chat", said("one"))
    await ledger.add_exchange("chat", said("two", "three"))

    assert await ledger.pop_exchange("chat") == said("two", "three")
    assert await ledger.exchanges("chat") == [said("one")]


async def test_nothing_is_taken_off_an_empty_session(ledger: Ledger) -> None:
    assert await ledger.pop_exchange("chat") is None


async def test_cleared_session_has_no_history_and_no_agent(ledger: Ledger) -> None:
    await converse(ledger, "one")

    await ledger.clear_session("chat")

    record = await ledger.session("chat")
    assert record
    assert (record.exchanges, record.agent, record.runs) == (0, None, ["run-one"])


async def test_unknown_session_is_none(ledger: Ledger) -> None:
    assert await ledger.session("chat") is None
    assert await ledger.exchanges("chat") == []


async def test_idle_session_expires_and_a_busy_one_does_not(hasty: Ledger) -> None:
    await start(hasty, "a")
    claimed = await claim(hasty, "a")
    await asyncio.sleep(0.7)
    assert await hasty.session("chat") is not None

    await end(hasty, claimed, "hello")
    await asyncio.sleep(0.7)

    assert await hasty.session("chat") is None
    assert await hasty.exchanges("chat") == []
