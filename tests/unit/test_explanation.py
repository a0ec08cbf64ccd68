"""The explanation: when a check is due, and what stops an answer that nobody watched."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from orchestrator import Delta, Event, Flow, OutputGuardrailTripwireTriggered, Settings, run_inline
from tasks.explanation import CHECK_EVERY, Draft, Verdict, is_too_hard, read_along, writer

REHEARSAL = Settings(model_api="rehearsal", rehearsal_latency_seconds=0)
UNWATCHED = Flow("explanation", writer.clone(hooks=None))
"""The watcher needs workers."""


def piece(text: str, offset: int, *, attempt: int = 1) -> Delta:
    return Delta(agent=writer.name, turn=1, attempt=attempt, offset=offset, text=text)


def test_check_is_due_when_enough_has_come_since_the_last() -> None:
    beginning = Draft().read(piece("x" * (CHECK_EVERY - 1), 0))
    more = beginning.read(piece("y", CHECK_EVERY - 1))
    checked = Draft(more.text, checked=CHECK_EVERY)

    assert not beginning.is_due
    assert more.is_due
    assert not checked.read(piece("z", CHECK_EVERY)).is_due
    assert checked.read(piece("z" * CHECK_EVERY, CHECK_EVERY)).is_due


def test_text_of_a_call_that_is_made_again_is_unchecked() -> None:
    checked = Draft("x" * CHECK_EVERY, checked=CHECK_EVERY)

    again = checked.read(piece("Anew", 0, attempt=2))

    assert again == Draft("Anew", checked=0)


async def pieces(*texts: str) -> AsyncIterator[Event]:
    """The events of a run that writes these, slowly enough for checks to be made meanwhile."""
    offset = 0
    for text in texts:
        yield Event("run", f"{offset}-0", piece(text, offset))
        offset += len(text)
        for _ in range(10):
            await asyncio.sleep(0)


async def test_each_check_is_given_all_that_is_written_until_one_fails() -> None:
    given: list[int] = []

    async def check(text: str) -> Verdict:
        given.append(len(text))
        return Verdict(reasoning="", is_readable_by_ten_year_old=len(text) < 2 * CHECK_EVERY)

    verdicts = await read_along(pieces(*["x" * (CHECK_EVERY // 2)] * 10), check)

    assert given == [CHECK_EVERY, 2 * CHECK_EVERY]
    assert [is_too_hard(verdict) for verdict in verdicts] == [False, True]


async def test_one_check_is_made_at_a_time() -> None:
    under_way, is_written = 0, asyncio.Event()

    async def events() -> AsyncIterator[Event]:
        async for event in pieces(*["x" * CHECK_EVERY] * 5):
            yield event
        is_written.set()

    async def check(text: str) -> Verdict:
        nonlocal under_way
        under_way += 1
        assert under_way == 1
        await is_written.wait()
        under_way -= 1
        return Verdict(reasoning="", is_readable_by_ten_year_old=True)

    assert len(await read_along(events(), check)) == 1


def test_plain_answer_passes() -> None:
    result = run_inline(UNWATCHED, "What is a black hole?", settings=REHEARSAL)

    assert "nothing is fast enough to get away" in result.final_output


def test_hard_answer_that_nobody_watched_is_stopped_when_it_is_whole() -> None:
    with pytest.raises(OutputGuardrailTripwireTriggered, match=r"explanation\.reader"):
        run_inline(UNWATCHED, "What precisely is a black hole?", settings=REHEARSAL)
