"""For rehearsal scripts: the sentence of a passage that has most words of what was asked."""

from __future__ import annotations

import re

LONGEST = 300


def best_sentence(text: str, asked: str) -> str:
    """A whole sentence of Markdown prose, the earlier of equals; the beginning of a text that has none."""
    plain = re.sub(r"```.*?```|^\|.*?$|^[ #-]+|\*\*", " ", text, flags=re.S | re.M)
    sentences: list[str] = re.findall(r"[A-Z][^.!?]{20,}[.!?](?=\s|$)", re.sub(r"\s+", " ", plain))
    if not sentences:
        return re.sub(r"\s+", " ", plain).strip()[:LONGEST]
    wanted = _stems(asked)
    return max(sentences, key=lambda sentence: len(wanted & _stems(sentence)))[:LONGEST]


def _stems(text: str) -> set[str]:
    """Words by their first five letters, without the short ones."""
    return {word[:5] for word in re.findall(r"\w{4,}", text.lower())}
