"""What the rehearsal model plays at the inbox: it goes by words and numbers."""

from __future__ import annotations

import json
import re

from orchestrator.models.rehearsal import Call, Rehearsal, Say, call, say

_WORDS = {"invoice": ("invoice", "reminder"), "application": ("apply", "position"), "advertising": ("offer", "% off")}


def classifier(seen: Rehearsal) -> Say:
    """By words."""
    text = seen.user_text.lower()
    kinds = [kind for kind, words in _WORDS.items() if any(word in text for word in words)]
    return say({"category": kinds[0] if kinds else "other", "reason": "Its words."})


def accounts(seen: Rehearsal) -> Say | Call:
    """Compares amounts."""
    if "find_purchase_order" not in seen.outputs:
        number = re.search(r"P-\d+", seen.user_text)
        return call("find_purchase_order", number=number[0] if number else "none")
    found = json.loads(seen.outputs["find_purchase_order"])
    amount = re.search(r"([\d,]+)\.(\d\d)", seen.user_text)
    cents = int(amount[1].replace(",", "") + amount[2]) if amount else 0
    if "error" in found:
        return say({"action": "ask_back", "amount_cents": cents, "reason": found["error"]})
    is_equal = found["amount_cents"] == cents
    reason = f"Purchase order {found['number']} is over {found['amount_cents'] / 100:,.2f} EUR."
    return say({"action": "pay" if is_equal else "ask_back", "amount_cents": cents, "reason": reason})


def people(seen: Rehearsal) -> Say | Call:
    """Names the first opening."""
    if "list_openings" not in seen.outputs:
        return call("list_openings")
    job, place = next(iter(json.loads(seen.outputs["list_openings"]).items()))
    return say({"handled_by": "inbox.people", "text": f"Thank you for writing. We are looking for: {job}, {place}."})
