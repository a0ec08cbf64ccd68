"""Whether, and how soon, a failed model call is made again. The run is parked until then."""

from __future__ import annotations

import random

from orchestrator.errors import ModelUnavailable

FIRST_DELAY_SECONDS = 0.5
MAX_DELAY_SECONDS = 60.0


def retry_delay(error: ModelUnavailable, *, failed_calls: int, max_retries: int) -> float | None:
    """Seconds to wait before the next attempt; `None`: the run fails with this error.

    The server's own word (Retry-After) counts; else the delay doubles from half a second, with some chance in
    it, so that many runs do not come back at once.
    """
    if failed_calls >= max_retries:
        return None
    asked: float | None = error.data.get("retry_after_seconds")
    if asked is not None:
        return max(0.0, asked)
    delay: float = min(MAX_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2**failed_calls)
    return delay * random.uniform(0.75, 1.25)
