"""What one submit may set for a run, and what it must not."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestrator.budget import Budget
from orchestrator.entries import RunOptions
from orchestrator.errors import InvalidInput
from orchestrator.run_options import make_options, refuse_passed_deadline


def test_turns_may_be_unlimited() -> None:
    assert make_options(max_turns=None).max_turns is None
    assert make_options().max_turns == 10


def test_keywords_go_before_the_object_and_leave_its_other_fields() -> None:
    given = RunOptions(model="big", tags=("night",), max_turns=3)

    options = make_options(run_options=given, model="small", budget={"tokens": 100})

    assert (options.model, options.tags, options.max_turns) == ("small", ("night",), 3)
    assert options.budget == Budget(tokens=100)


def test_one_tag_may_be_a_text() -> None:
    assert make_options(tags="night").tags == ("night",)
    assert make_options(tags=["a", "b"]).tags == ("a", "b")


def test_a_deadline_is_seconds_from_now_or_a_time() -> None:
    at = datetime.now(UTC) + timedelta(minutes=5)

    assert make_options(deadline=at).deadline_at == at.timestamp()
    assert make_options(deadline=300).deadline_at == pytest.approx(time.time() + 300, abs=5)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"max_turns": -1}, "`max_turns`"),
        ({"run_options": {"unknown": 1}}, "`unknown`"),
        ({"budget": {"tokens": 0}}, "`budget.tokens`"),
        ({"budget": {"money": 0}}, "`budget.money`"),
        ({"budget": {"turns": -1}}, "`budget.turns`"),
        ({"budget": {"tool_calls": 0}}, "`budget.tool_calls`"),
        ({"budget": {"seconds": 0}}, "`budget.seconds`"),
        ({"budget": {}}, "a budget needs a limit: tokens, money, turns, tool_calls, seconds"),
        ({"budget": {"tokens": 5, "warn_at": 1.5}}, "`budget.warn_at`"),
        ({"budget": {"tokens": 5, "on_limit": "stop"}}, "`budget.on_limit`"),
        ({"tags": [""]}, "`tags.0`"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidInput, match="options are not valid") as raised:
        make_options(**options)

    assert problem in raised.value.message


def test_a_deadline_that_has_passed_can_never_be_met() -> None:
    with pytest.raises(InvalidInput, match="deadline has passed already"):
        refuse_passed_deadline(make_options(deadline=-1))


def test_a_deadline_must_be_a_moment() -> None:
    with pytest.raises(InvalidInput, match="`deadline` must be seconds from now or a datetime, not 'soon'"):
        make_options(deadline="soon")  # type: ignore[typeddict-item]


def test_metadata_must_be_json() -> None:
    with pytest.raises(InvalidInput, match="metadata has no JSON form"):
        make_options(metadata={"x": object()})
