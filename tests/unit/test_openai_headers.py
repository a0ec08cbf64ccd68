"""What servers say about their rate limits, in seconds."""

from __future__ import annotations

import pytest

from orchestrator.models.openai_headers import exhausted_seconds, parse_duration, retry_after_seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1),
        ("6m0s", 360),
        ("20ms", 0.02),
        ("1h2m3s", 3723),
        ("1.5", 1.5),
        ("2026-11-27T10:00:00Z", None),
        ("", None),
    ],
)
def test_durations(text: str, seconds: float | None) -> None:
    assert parse_duration(text) == (None if seconds is None else pytest.approx(seconds))


def test_nothing_is_exhausted_while_something_remains() -> None:
    headers = {"x-ratelimit-remaining-requests": "1", "x-ratelimit-reset-requests": "6m0s"}

    assert exhausted_seconds(headers) is None
    assert exhausted_seconds({}) is None
    assert exhausted_seconds({"x-ratelimit-remaining-requests": "many"}) is None


def test_longer_wait_counts_where_both_have_run_out() -> None:
    headers = {
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "120ms",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "6s",
    }

    assert exhausted_seconds(headers) == 6


def test_retry_after_goes_before_the_limits_own_headers() -> None:
    headers = {"retry-after": "3", "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "9s"}

    assert retry_after_seconds(headers) == 3
    assert retry_after_seconds({**headers, "retry-after-ms": "500"}) == 0.5
    assert retry_after_seconds({**headers, "retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}) == 9
    assert retry_after_seconds({}) is None
