"""What every ledger promises to readers: pieces of replies, in order, bounded, and only when somebody reads."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator.delta import Delta
from orchestrator.entries import Entry
from orchestrator.errors import CursorExpired
from orchestrator.events import Event, follow_run
from orchestrator.ledger import live
from orchestrator.ledger.base import Ledger
from orchestrator.ledger.live import START, Notice
from orchestrator.run_ids import child_id
from tests.contract.steps import ANSWER, claim, new_run, park, reply, start_and_claim, started


def piece(text: str, *, turn: int = 1, attempt: int = 1, offset: int = 0) -> Delta:
    return Delta(agent="triage", turn=turn, attempt=attempt, offset=offset, text=text)


def shown(entry: Entry | Delta) -> str:
    return f"delta {entry.text}" if isinstance(entry, Delta) else entry.type


async def read(ledger: Ledger, *, after: str | None = None, deltas: bool = True) -> list[Event]:
    return [event async for event in follow_run(ledger, "run", after=after, deltas=deltas)]


async def test_holder_learns_that_somebody_reads_along(ledger: Ledger) -> None:
    await ledger.watch("run", seconds=60)

    claimed = await start_and_claim(ledger)

    assert claimed.watched
    assert await ledger.append(claimed, claimed.size, [reply()]) == Notice(watched=True)


async def test_reader_of_a_run_is_a_reader_of_its_children(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await park(ledger, claimed, "c1")

    await ledger.watch("run", seconds=60)

    assert (await claim(ledger, child_id("run", "c1"))).watched


async def test_reader_who_says_no_more_is_gone(ledger: Ledger) -> None:
    await ledger.watch("run", seconds=0.05)
    await asyncio.sleep(0.1)

    claimed = await start_and_claim(ledger)

    assert not claimed.watched
    assert await ledger.append(claimed, claimed.size, [reply()]) == Notice()


async def test_pieces_come_before_their_reply_and_behind_the_turn_before(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.publish_delta("run", piece("he"))
    await ledger.publish_delta("run", piece("llo", offset=2))
    await ledger.append(claimed, 2, [reply("hello"), started("c1")])
    await asyncio.sleep(0.002)
    await ledger.publish_delta("run", piece("bye", turn=2))

    found = await ledger.follow({"run": START}, deltas={"run": START}, timeout_seconds=60)

    assert [shown(entry) for _, _, entry in found] == [
        "input",
        "invocation",
        "delta he",
        "delta llo",
        "reply",
        "started",
        "delta bye",
    ]


async def test_pieces_wake_a_reader(ledger: Ledger) -> None:
    await start_and_claim(ledger)
    [*_, (last, _)] = await ledger.entries("run")

    waiting = asyncio.create_task(ledger.follow({"run": last}, deltas={"run": START}, timeout_seconds=60))
    await asyncio.sleep(0.05)
    await ledger.publish_delta("run", piece("hi"))

    assert [(run_id, shown(entry)) for run_id, _, entry in await waiting] == [("run", "delta hi")]


async def test_events_go_on_behind_a_piece(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    for number in range(3):
        await ledger.publish_delta("run", piece(str(number), offset=number))
    await ledger.end(claimed, claimed.size, [reply("012")], ANSWER)
    everything = await read(ledger)
    second = next(event for event in everything if shown(event.entry) == "delta 1")

    rest = await read(ledger, after=second.cursor)

    assert [shown(event.entry) for event in rest] == ["delta 2", "reply", "outcome"]
    assert [shown(event.entry) for event in everything] == ["input", "invocation", "delta 0", "delta 1"] + [
        shown(event.entry) for event in rest
    ]


async def test_nothing_comes_behind_the_outcome(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.end(claimed, claimed.size, [], ANSWER)
    [*_, last] = await read(ledger)

    assert await read(ledger, after=last.cursor) == []


async def test_pieces_are_left_out_for_those_who_do_not_ask(ledger: Ledger) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.publish_delta("run", piece("hi"))
    await ledger.end(claimed, claimed.size, [reply("hi")], ANSWER)

    assert [event.type for event in await read(ledger, deltas=False)] == ["input", "invocation", "reply", "outcome"]


async def test_reading_pieces_announces_the_reader(ledger: Ledger) -> None:
    await ledger.start(new_run())
    stream = follow_run(ledger, "run", deltas=True)

    await anext(stream)

    assert (await claim(ledger)).watched
    await stream.aclose()


async def test_pieces_of_a_run_are_bounded_and_a_cursor_before_them_has_expired(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    claimed = await start_and_claim(ledger)
    await ledger.publish_delta("run", piece("first"))
    stream = follow_run(ledger, "run", deltas=True)
    cursor = [await anext(stream) for _ in range(3)][-1].cursor
    await stream.aclose()
    many = live.DELTAS_KEPT + 200  # a server may keep some more than it is told to
    for number in range(many):
        await ledger.publish_delta("run", piece("x", offset=5 + number))
    await ledger.end(claimed, claimed.size, [reply()], ANSWER)

    with pytest.raises(CursorExpired, match=r"Read without `after=`"):
        await read(ledger, after=cursor)

    kept = sum(event.type == "delta" for event in await read(ledger))
    assert live.DELTAS_KEPT <= kept < many


async def test_cursor_of_a_run_that_has_expired_says_so(hasty: Ledger) -> None:
    claimed = await start_and_claim(hasty)
    await hasty.end(claimed, claimed.size, [], ANSWER)
    [*_, last] = await read(hasty)
    await hasty.close(claimed)
    await asyncio.sleep(0.6)

    with pytest.raises(CursorExpired, match="past its retention"):
        await read(hasty, after=last.cursor)
