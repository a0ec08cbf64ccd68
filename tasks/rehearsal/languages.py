"""What the rehearsal model plays at the front desk: it knows a few words and a phrase in each language."""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.models.rehearsal import Call, Rehearsal, Say, Script, call, say


@dataclass(frozen=True)
class Phrases:
    """A language as the rehearsal knows it."""

    name: str
    words: frozenset[str]
    """Words that give it away."""
    days: tuple[str, ...]
    """Monday to Sunday."""
    open: str
    closed: str
    help: str


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

ENGLISH = Phrases(
    "english",
    frozenset({"hello", "are", "you", "open", "the", "on", "is", "when", "what"}),
    ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
    "On {day} we are open: {hours}.",
    "On {day} we are closed.",
    "Hello! How can I help you?",
)
FRENCH = Phrases(
    "french",
    frozenset({"bonjour", "êtes", "vous", "ouverts", "le", "la", "et", "quand", "merci"}),
    ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
    "Le {day}, nous sommes ouverts : {hours}.",
    "Le {day}, nous sommes fermés.",
    "Bonjour ! Comment puis-je vous aider ?",
)
SPANISH = Phrases(
    "spanish",
    frozenset({"hola", "abren", "el", "los", "y", "cuándo", "gracias", "están"}),
    ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
    "El {day} abrimos: {hours}.",
    "El {day} estamos cerrados.",
    "¡Hola! ¿En qué puedo ayudarle?",
)


def languages(seen: Rehearsal) -> Call:
    """Hands over to the language of which it knows most words."""
    words = _words(seen)
    best = max((ENGLISH, FRENCH, SPANISH), key=lambda phrases: len(words & (phrases.words | set(phrases.days))))
    return call(f"transfer_to_languages_{best.name}")


def speaker(phrases: Phrases) -> Script:
    """Answers in this language; hands back when the customer writes another."""

    def play(seen: Rehearsal) -> Say | Call:
        words = _words(seen)
        others = {ENGLISH, FRENCH, SPANISH} - {phrases}
        if any(words & set(other.days) for other in others):
            return call("transfer_to_languages")
        day = next((day for day in phrases.days if day in words), None)
        if day is None:
            return say(phrases.help)
        if "opening_hours" not in seen.outputs:
            return call("opening_hours", day=_DAYS[phrases.days.index(day)])
        hours = re.findall(r"\d\d:\d\d", seen.outputs["opening_hours"])
        return say((phrases.open if hours else phrases.closed).format(day=day, hours="-".join(hours)))

    return play


def _words(seen: Rehearsal) -> set[str]:
    return set(re.findall(r"\w+", seen.user_text.lower()))
