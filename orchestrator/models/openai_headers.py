"""What a server's headers say about its rate limits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


@dataclass
class Heard:
    """What came beside a reply. The client fills it in."""

    pause_seconds: float | None = None
    """There is no room for further calls for so long."""

    def take(self, headers: Mapping[str, str]) -> None:
        """Take a reply's headers in."""
        self.pause_seconds = exhausted_seconds(headers)


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """How long the server asks to wait before the same call is made again."""
    try:
        if (milliseconds := headers.get("retry-after-ms")) is not None:
            return float(milliseconds) / 1000
        return float(headers["retry-after"])
    except (KeyError, ValueError):
        return exhausted_seconds(headers)  # no word, or a date, which nobody sends for a wait of seconds


def exhausted_seconds(headers: Mapping[str, str]) -> float | None:
    """How long until there is room again, where requests or tokens have run out."""
    waits = [_reset(headers, kind) for kind in ("requests", "tokens") if _is_exhausted(headers, kind)]
    return max((wait for wait in waits if wait is not None), default=None)


def parse_duration(text: str) -> float | None:
    """Seconds in `1s`, `6m0s`, `20ms` or `1.5`; `None` for anything else."""
    if _DURATION.fullmatch(text):
        return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    try:
        return float(text)
    except ValueError:
        return None


def _is_exhausted(headers: Mapping[str, str], kind: str) -> bool:
    try:
        return float(headers.get(f"x-ratelimit-remaining-{kind}", "1")) <= 0
    except ValueError:
        return False


def _reset(headers: Mapping[str, str], kind: str) -> float | None:
    return parse_duration(headers.get(f"x-ratelimit-reset-{kind}", ""))
