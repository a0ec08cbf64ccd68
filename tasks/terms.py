"""The shop's term base: the words that translators must use, in three languages."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from orchestrator import RunContext, function_tool

FILE = Path(__file__).parent / "data" / "terms.json"
Language = Literal["Spanish", "French", "German"]


class Terms(BaseModel):
    """What a translator has to go by. With the text, so that nothing else is taken for it where there are no terms."""

    text: str
    must_use: dict[str, str]
    """English words with their translation."""


def load_terms() -> dict[str, dict[Language, str]]:
    """English terms with their translations. For `ctx.resource(load_terms)`."""
    loaded: dict[str, dict[Language, str]] = json.loads(FILE.read_text(encoding="utf-8"))
    return loaded


@function_tool(output_format="json")
def look_up_terms(ctx: RunContext[Any], text: str, language: Language) -> Terms:
    """Look up the shop's own terms in an English text, with the translation that must be used for each.

    Args:
        text: The English text to translate, word for word.
        language: The language to translate into.
    """
    terms = ctx.resource(load_terms)
    words = re.findall(r"\w+", text.lower())
    return Terms(text=text, must_use={word: terms[word][language] for word in words if word in terms})
