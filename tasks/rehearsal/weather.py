"""What the rehearsal model plays about the weather: it finds capitalised words and a month, and looks them up."""

from __future__ import annotations

import json
import re

from orchestrator.models.rehearsal import Call, Rehearsal, Say, call, say

_MONTH = re.compile(r"\b(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)", re.I)
_NOT_CITIES = {"What", "How", "Should", "Is", "In", "The", "And", "Or", "I"}


def weather(seen: Rehearsal) -> Say | list[Say | Call]:
    """Looks up all cities at once; then speaks about the last."""
    if not seen.called("look_up_climate"):
        return [call("look_up_climate", city=city, month=_month(seen)) for city in _cities(seen)]
    try:
        found = json.loads(seen.outputs["look_up_climate"])
    except ValueError:
        return say(seen.outputs["look_up_climate"])
    wet = "Pack an umbrella" if found["rain_days"] > 7 else "You need no umbrella"
    warm = "light clothes" if found["high_c"] > 20 else "a jacket"
    return say(
        f"In {found['month']}, {found['city']} has {found['low_c']} to {found['high_c']} °C and rain on "
        f"{found['rain_days']} days. {wet}, and {warm}."
    )


def stop(seen: Rehearsal) -> Call:
    """Asks for the spelling first."""
    if "find_city" not in seen.outputs:
        return call("find_city", spelling=_cities(seen)[0])
    return call("look_up_climate", city=seen.outputs["find_city"], month=_month(seen))


def _cities(seen: Rehearsal) -> list[str]:
    words = re.findall(r"\b[A-Z]\w+", seen.user_text)
    return [word for word in words if word not in _NOT_CITIES and not _MONTH.match(word)] or ["Nowhere"]


def _month(seen: Rehearsal) -> str:
    found = _MONTH.search(seen.user_text)
    return found[1].title() if found else "Jul"
