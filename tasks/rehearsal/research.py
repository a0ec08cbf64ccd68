"""What the rehearsal model plays in research: it searches by the question's words, and quotes what was found."""

from __future__ import annotations

import json
import re
from typing import Any

from orchestrator.models.rehearsal import Call, Rehearsal, Say, call, say
from tasks.rehearsal.quoting import best_sentence

_CANNED = "Rehearsal, no real model: passages found in the documentation, put side by side."


def planner(seen: Rehearsal) -> Say:
    """Two searches from the question's words."""
    return say({"searches": _plan(seen.user_text)})


def strategist(seen: Rehearsal) -> Call:
    """The same plan, handed to the lead."""
    return call("transfer_to_research_lead", searches=_plan(seen.user_text))


def lead(seen: Rehearsal) -> Call | list[Say | Call]:
    """Plan, searches, report."""
    if not seen.called("transfer_to_research_lead"):
        return call("transfer_to_research_strategist")
    if not seen.called("search"):
        return [call("search", **search) for search in _plan(seen.user_text)]
    return call("transfer_to_research_writer")


def searcher(seen: Rehearsal) -> Say | Call:
    """Searches once, and quotes what fits best."""
    if "search_docs" not in seen.outputs:
        return call("search_docs", query=_query(seen.user_text))
    best = json.loads(seen.outputs["search_docs"])[0]
    summary = best_sentence(best["text"], _query(seen.user_text))
    return say({"summary": summary, "sources": [f"{best['page']}: {best['section']}"]})


def writer(seen: Rehearsal) -> Say:
    """Puts the findings side by side."""
    findings = _findings(seen)
    lines = [f"- {finding['summary']} [{', '.join(finding['sources'])}]" for finding in findings]
    return say({"short_answer": _CANNED, "report": "\n".join(lines), "open_questions": []})


def _plan(question: str) -> list[dict[str, str]]:
    words = [word for word in re.findall(r"\w+", question.lower()) if len(word) > 3 and word not in _QUESTION_WORDS]
    halves = words[: (len(words) + 1) // 2], words[len(words) // 2 :]
    searches = [" ".join(words), *(" ".join(half) for half in halves)]
    return [{"query": query, "reason": "Words of the question."} for query in dict.fromkeys(searches)]


_QUESTION_WORDS = {"what", "when", "where", "which", "does", "happens", "with", "this", "that", "have", "there"}


def _query(text: str) -> str:
    """The query in the flow's prompt, or in the arguments with which the lead calls."""
    written = re.search(r"Search for: (.*)", text) or re.search(r'"query": "([^"]*)"', text)
    return written[1] if written else text


def _findings(seen: Rehearsal) -> list[Any]:
    """The findings in the flow's prompt, or those that the lead was given."""
    _, marker, found = seen.user_text.partition("as JSON:\n")
    if marker:
        return list(json.loads(found))
    outputs = [str(item["output"]) for item in seen.input if item.get("type") == "function_call_output"]
    quoted = [re.match(r"summary=(['\"])(.*?)\1 sources=\[(.*)\]", output, re.S) for output in outputs]
    return [{"summary": match[2], "sources": [match[3].strip("'")]} for match in quoted if match]
