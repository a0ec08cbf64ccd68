"""What the rehearsal model plays as translators: it replaces the terms that it finds, and marks the rest as English."""

from __future__ import annotations

import json
import re

from orchestrator.models.rehearsal import Call, Rehearsal, Say, Script, call, say
from tasks.terms import Language

_LANGUAGES: tuple[Language, ...] = ("Spanish", "French", "German")


def manager(seen: Rehearsal) -> Say | list[Say | Call]:
    """Calls the translators that are asked for and there; then reports."""
    asked, _, text = seen.user_text.partition(": ")
    wanted = [language for language in _LANGUAGES if language in asked]
    tools = {language: f"translate_to_{language.lower()}" for language in wanted}
    offered = {language: tool for language, tool in tools.items() if tool in seen.tools}
    if offered and not any(seen.called(tool) for tool in offered.values()):
        return [_order(tool, text) for tool in offered.values()]
    lines = [f"{language}: {seen.outputs[tool]}" for language, tool in offered.items()]
    return say("\n".join([*lines, *(f"{language}: not offered" for language in wanted if language not in offered)]))


def _order(tool: str, text: str) -> Call:
    if tool == "translate_to_german":
        return call(tool, text=text, audience="customers of the shop", form="Sie")
    return call(tool, input=text)


def translator(language: Language) -> Script:
    """Word by word."""

    def play(seen: Rehearsal) -> Say | Call:
        text = seen.user_text.rpartition("Text: ")[2]
        if "look_up_terms" not in seen.outputs:
            return call("look_up_terms", text=text, language=language)
        terms = json.loads(seen.outputs["look_up_terms"])["must_use"]
        return say(re.sub(r"\w+", lambda word: terms.get(word[0].lower(), f"[{word[0]}]"), text))

    return play


def editor(seen: Rehearsal) -> Say:
    """Puts the manager's lines into a list."""
    delivered = seen.user_text.rpartition("The translations:\n")[2]
    lines = [line.partition(": ") for line in delivered.splitlines()]
    missing = [language for language, _, text in lines if text == "not offered"]
    translations = [{"language": language, "text": text} for language, _, text in lines if language not in missing]
    return say({"translations": translations, "note": f"Not offered: {', '.join(missing)}." if missing else ""})
