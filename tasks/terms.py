"""The shop's term base: the words that translators must use, in three languages."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal

from orchestrator import RunContext, function_tool

FILE = Path(__file__).parent / "data" / "terms.json"
NO_TERMS = "The shop has no terms for this text. Translate it in words of your own."
Language = Literal["Spanish", "French", "German"]


def load_terms() -> dict[str, dict[Language, str]]:
    """English terms with their translations. For `ctx.resource(load_terms)`."""
    loaded: dict[str, dict[Language, str]] = json.loads(FILE.read_text(encoding="utf-8"))
    return loaded


@function_tool(output_format="json")
def look_up_terms(ctx: RunContext[Any], text: str, language: Language) -> dict[str, str] | str:
    """Look up the shop's own terms in an English text, with the translation that must be used for each.

    Args:
        text: The English text to translate, word for word.
        language: The language to translate into.
    """
    terms = ctx.resource(load_terms)
    words = re.findall(r"\w+", text.lower())
    return {word: terms[word][language] for word in words if word in terms} or NO_TERMS
