"""What the rehearsal model plays as an author: a boastful draft, then what is left when the review's words are gone."""

from __future__ import annotations

import json

from orchestrator.models.rehearsal import Call, Rehearsal, call


def announcement(seen: Rehearsal) -> Call:
    """A first draft with weaknesses, then one without."""
    news = seen.user_text.strip()
    if "review_draft" not in seen.outputs:
        draft = f"We are thrilled to announce something revolutionary! {news}"
        return call("review_draft", draft=draft, weaknesses=["It praises before it says what is new."])
    review = json.loads(seen.outputs["review_draft"])
    better = review["draft"].rpartition("! ")[2]
    return call("review_draft", draft=f"New: {better} It is in the next release.", weaknesses=[])
