"""What the rehearsal model plays in finance: figures as the tools give them, with a source from the second draft on."""

from __future__ import annotations

import json
import re

from orchestrator.models.rehearsal import Call, Rehearsal, Say, call, say

_SOURCE = "[figures.json]"


def planner(seen: Rehearsal) -> Say:
    """Always the same three searches."""
    queries = ["passengers revenue fares", "bonds due debt", "strike pilots wage"]
    return say({"searches": [{"query": query, "reason": "A usual question."} for query in queries]})


def searcher(seen: Rehearsal) -> Say | Call:
    """Quotes what fits best."""
    if "search_filings" not in seen.outputs:
        found = re.search(r"Search for: (.*)", seen.user_text)
        return call("search_filings", query=found[1] if found else seen.user_text)
    best = json.loads(seen.outputs["search_filings"])[0]
    return say({"summary": best["text"], "source": best["section"]})


def fundamentals(seen: Rehearsal) -> Say | list[Say | Call]:
    """Reads growth and margin."""
    if "key_ratios" not in seen.outputs:
        return [call("quarterly_figures", measure="revenue"), call("key_ratios")]
    ratios = json.loads(seen.outputs["key_ratios"])
    last = json.loads(seen.outputs["quarterly_figures"])[-1]
    summary = (
        f"The operating margin is {ratios['operating_margin_percent']} percent after "
        f"{ratios['margin_of_year_before_percent']} the year before. Revenue of {last['quarter']} grew by "
        f"{last['change_percent']} percent; net debt is {ratios['net_debt_millions']} million EUR."
    )
    return say({"summary": summary, "details": [f"{last['quarter']}: {last['millions']} million EUR."]})


def risks(seen: Rehearsal) -> Say | Call:
    """Reads about the debt."""
    if "search_filings" not in seen.outputs:
        return call("search_filings", query="bonds due debt refinanced")
    best = json.loads(seen.outputs["search_filings"])[0]
    return say({"summary": f"{best['text']} [{best['section']}]", "details": []})


def writer(seen: Rehearsal) -> Say | list[Say | Call]:
    """Asks both analysts, and writes down what they say."""
    if "ask_risks" not in seen.outputs:
        return [call("ask_fundamentals", input=seen.user_text), call("ask_risks", input=seen.user_text)]
    is_revised = "What was said about it:" in seen.user_text
    results = seen.outputs["ask_fundamentals"] + (f" {_SOURCE}" if is_revised else "")
    report = f"## Results\n\n{results}\n\n## Risks\n\n{seen.outputs['ask_risks']}"
    short = "Rehearsal, no real model: what the analysts said."
    return say({"short_summary": short, "report": report, "follow_up": []})


def verifier(seen: Rehearsal) -> Say | Call:
    """Looks the margin up, and wants its source."""
    if "key_ratios" not in seen.outputs:
        return call("key_ratios")
    margin = json.loads(seen.outputs["key_ratios"])["operating_margin_percent"]
    found = [] if f"margin is {margin} percent" in seen.user_text else [f"The operating margin is {margin} percent."]
    if _SOURCE not in seen.user_text:
        found.append("The results have no source.")
    return say({"is_verified": not found, "issues": found})
