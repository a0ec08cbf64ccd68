"""Failed model calls are made again, parked meanwhile."""

from __future__ import annotations

import pytest

from orchestrator.agent import Agent
from orchestrator.errors import ModelRequestRejected, ModelUnavailable
from orchestrator.inline import run_inline
from orchestrator.model_retry import MAX_DELAY_SECONDS, retry_delay
from orchestrator.settings import Settings
from orchestrator.testing import ScriptedModel

SOON = {"retry_after_seconds": 0.01}
SETTINGS = Settings(model_max_retries=2)


def test_delay_doubles_up_to_a_minute() -> None:
    delays = [retry_delay(ModelUnavailable(), failed_calls=count, max_retries=99) or 0 for count in range(12)]

    assert 0.3 < delays[0] < 0.7
    assert 1.4 < delays[2] < 2.6
    assert max(delays) <= MAX_DELAY_SECONDS * 1.25


def test_server_says_how_long_to_wait() -> None:
    assert retry_delay(ModelUnavailable(retry_after_seconds=7.0), failed_calls=0, max_retries=1) == 7.0


def test_no_retry_is_left() -> None:
    assert retry_delay(ModelUnavailable(), failed_calls=2, max_retries=2) is None


def test_run_answers_after_failed_calls() -> None:
    model = ScriptedModel([ModelUnavailable("busy", **SOON), ModelUnavailable("busy", **SOON), "hello"])

    result = run_inline(Agent(name="a", model=model), "hi", settings=SETTINGS)

    assert result.final_output == "hello"
    assert [request.input for request in model.requests] == [model.requests[0].input] * 3


def test_failed_calls_are_no_turns() -> None:
    model = ScriptedModel([ModelUnavailable("busy", **SOON), "hello"])

    assert run_inline(Agent(name="a", model=model), "hi", max_turns=1, settings=SETTINGS).final_output == "hello"


def test_run_fails_with_the_last_error_when_all_attempts_failed() -> None:
    model = ScriptedModel([ModelUnavailable(f"busy {number}", **SOON) for number in range(3)])

    with pytest.raises(ModelUnavailable, match="busy 2"):
        run_inline(Agent(name="a", model=model), "hi", settings=SETTINGS)


def test_rejected_request_is_not_repeated() -> None:
    model = ScriptedModel([ModelRequestRejected("no such model")])

    with pytest.raises(ModelRequestRejected):
        run_inline(Agent(name="a", model=model), "hi", settings=SETTINGS)
    assert len(model.requests) == 1
