"""What the rehearsal model plays as an author: outlines that get an end when the judge misses it."""

from __future__ import annotations

import json

from orchestrator.models.rehearsal import Rehearsal, Say, say

_FUTURE = ("robot", "mars", "space", "android", "planet", "starship")


def outliner(seen: Rehearsal) -> Say:
    """Two beats; with an end, once it was missed."""
    idea = seen.user_text.partition("\n")[0]
    beats = [f"We meet them: {idea}.", "What they fear happens."]
    if "What was said about it:" in seen.user_text:
        beats.append("They find that they can do it, and it costs them something.")
    return say({"title": idea, "beats": beats})


def judge(seen: Rehearsal) -> Say:
    """Wants an end."""
    outline = json.loads(seen.user_text.rpartition("The outline:\n")[2])
    if len(outline["beats"]) < 3:
        return say({"score": "needs_improvement", "feedback": "It has no end."})
    return say({"score": "pass", "feedback": ""})


def checker(seen: Rehearsal) -> Say:
    """Knows science fiction by its words."""
    is_future = any(word in seen.user_text.lower() for word in _FUTURE)
    reason = "There is a machine or a planet in it." if is_future else "Nothing in it is of the future."
    return say({"is_good": True, "is_science_fiction": is_future, "reason": reason})


def writer(seen: Rehearsal) -> Say:
    """The beats, one after another."""
    outline = json.loads(seen.user_text.partition("\n")[2])
    return say(f"{outline['title']}\n\n" + " ".join(outline["beats"]))
