"""What the rehearsal model plays at the airline's desk: it goes by words, and answers from what the tools return."""

from __future__ import annotations

import re

from orchestrator.models.rehearsal import Call, Rehearsal, Say, call, say

_CONFIRMATION = re.compile(r"\b(?=[A-Z0-9]*\d)[A-Z0-9]{6}\b")
_SEAT = re.compile(r"\b(\d{1,2}[A-F])\b", re.I)
_GENERAL = ("bag", "luggage", "wifi", "pet", "dog", "check-in", "how many")


def airline(seen: Rehearsal) -> Call:
    """General questions first, then the seat."""
    is_general = any(word in seen.user_text.lower() for word in _GENERAL)
    if (is_general and not seen.called("look_up_faq")) or not _wants_seat(seen):
        return call("transfer_to_airline_faq")
    found = _CONFIRMATION.search(seen.user_text)
    return call("transfer_to_airline_seats", confirmation=found[0] if found else "")


def faq(seen: Rehearsal) -> Say | Call | list[Say | Call]:
    """Looks it up, and hands back what is left."""
    if "look_up_faq" not in seen.outputs:
        return call("look_up_faq", question=seen.user_text)
    found = say(seen.outputs["look_up_faq"])
    return [found, call("transfer_to_airline")] if _wants_seat(seen) else found


def seats(seen: Rehearsal) -> Say | Call:
    """Changes the seat, where there is a booking."""
    if "change_seat" not in seen.tools:
        return call("ask_passenger", question="I found no booking under that confirmation number. Could you check it?")
    wanted = _SEAT.search(seen.user_text)
    if wanted is None:
        return call("ask_passenger", question="Which seat would you like?")
    if "change_seat" not in seen.outputs:
        return call("change_seat", seat=wanted[1].upper())
    return say(" ".join([*filter(None, [seen.outputs.get("look_up_faq")]), seen.outputs["change_seat"]]))


def _wants_seat(seen: Rehearsal) -> bool:
    return bool(re.search(r"\bseat\b", seen.user_text, re.I))
