"""The explanation: when a check is due, and what stops an answer that nobody watched."""

import pytest

from orchestrator import Delta, Flow, OutputGuardrailTripwireTriggered, Settings, run_inline
from tasks.explanation import CHECK_EVERY, Draft, writer

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


def test_plain_answer_passes() -> None:
    result = run_inline(UNWATCHED, "What is a black hole?", settings=REHEARSAL)

    assert "nothing is fast enough to get away" in result.final_output


def test_hard_answer_that_nobody_watched_is_stopped_when_it_is_whole() -> None:
    with pytest.raises(OutputGuardrailTripwireTriggered, match=r"explanation\.reader"):
        run_inline(UNWATCHED, "What precisely is a black hole?", settings=REHEARSAL)
