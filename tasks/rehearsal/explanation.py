"""What the rehearsal model plays at the explanation: plain words, unless it is asked for precise ones."""

from __future__ import annotations

import re

from orchestrator.models.rehearsal import Rehearsal, Say, say

LONGEST_MEAN = 5.0
"""Letters a word, on average, that a child can read."""
_PLAIN = (
    "Think of a ball that you throw up in the air. It comes down again, because the Earth pulls it back. If you could "
    "throw it fast enough, it would fly away and never come back. {topic} That is a thing that pulls so hard that "
    "nothing is fast enough to get away from it, not even light. And light is the fastest thing there is! No light "
    "comes out, so it looks black, like a hole in the sky. It is not a hole, though. It is a huge heap of stuff in a "
    "tiny place. What goes round it from far away goes round it for ever, as the Earth goes round the Sun. Only what "
    "comes too near falls in, and we will not see it again."
)
_PRECISE = (
    "{topic} Mathematically speaking, gravitational singularities are characterised by geodesic incompleteness within "
    "pseudo-Riemannian manifolds satisfying the Einstein field equations. Surrounding the singularity, an event "
    "horizon delimits the causally disconnected region; its Schwarzschild radius is proportional to the enclosed "
    "mass. Thermodynamic considerations additionally associate an entropy proportional to the horizon's "
    "two-dimensional surface area, and semiclassical calculations predict approximately thermal radiation."
)


def writer(seen: Rehearsal) -> Say:
    """A child's explanation, or a physicist's."""
    asked = seen.user_text.strip()
    return say((_PRECISE if "precise" in asked.lower() else _PLAIN).format(topic=asked))


def reader(seen: Rehearsal) -> Say:
    """Goes by the length of words."""
    words = re.findall(r"[^\W\d_]+", seen.user_text)
    mean = sum(map(len, words)) / max(len(words), 1)
    reasoning = f"A word has {mean:.1f} letters on average."
    return say({"reasoning": reasoning, "is_readable_by_ten_year_old": mean <= LONGEST_MEAN})
