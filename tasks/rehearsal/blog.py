"""What the rehearsal model plays at the blog: passages that were found become facts, sections and text."""

from __future__ import annotations

import json
import re
from typing import Any

from orchestrator.models.rehearsal import Call, Rehearsal, Say, call, say
from tasks.rehearsal.quoting import best_sentence


def researcher(seen: Rehearsal) -> Say | Call:
    """Quotes what fits best."""
    if "search_docs" not in seen.outputs:
        return call("search_docs", query=seen.user_text)
    found = json.loads(seen.outputs["search_docs"])
    quoted = [(best_sentence(passage["text"], seen.user_text), passage["page"]) for passage in found]
    return say({"facts": [f"{sentence} [{page}]" for sentence, page in quoted]})


def reader(seen: Rehearsal) -> Say:
    """Always the same reader."""
    return say({"who": "Engineers who run task queues.", "questions": [f"{seen.user_text}: what is in it for me?"]})


def outliner(seen: Rehearsal) -> Say:
    """A section a fact."""
    facts = _facts(seen.user_text)
    sections = [{"heading": f"Point {number}", "point": fact} for number, fact in enumerate(facts, start=1)]
    return say({"title": _topic(seen.user_text), "sections": sections})


def writer(seen: Rehearsal) -> Say:
    """The first draft forgets the sources; the next one has them."""
    is_revised = "What was said about it:" in seen.user_text
    facts = _facts(seen.user_text)
    shown = facts if is_revised else [re.sub(r" \[.*?\]$", "", fact) for fact in facts]
    parts = [f"## Point {number}\n\n{fact}" for number, fact in enumerate(shown, start=1)]
    return say({"title": _topic(seen.user_text), "body": "\n\n".join(parts)})


def critic(seen: Rehearsal) -> Say:
    """Wants sources."""
    if ".md]" in seen.user_text:
        return say({"score": 8, "problems": []})
    return say({"score": 5, "problems": ["No section names its source."]})


def _topic(text: str) -> str:
    return text.partition("The topic: ")[2].partition("\n")[0]


def _facts(text: str) -> list[str]:
    """The facts in the flow's prompts: the line that is a JSON list of what was researched."""
    found: list[Any] = json.loads(next(line for line in text.splitlines() if line.startswith('[{"facts"')))
    facts: list[str] = found[0]["facts"]
    return facts
