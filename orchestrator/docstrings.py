"""Reads what a docstring says about a function and its parameters."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from griffe import Docstring, DocstringSection, DocstringSectionParameters, DocstringSectionText

DocstringStyle = Literal["google", "numpy", "sphinx"]

_UNDERLINED = r"^[ \t]*{}[ \t]*\n[ \t]*-{{3,}}[ \t]*$"
_MARKS: Mapping[DocstringStyle, Sequence[str]] = {
    "sphinx": (r"^[ \t]*:param\s", r"^[ \t]*:type\s", r"^[ \t]*:return:", r"^[ \t]*:rtype:"),
    "numpy": [_UNDERLINED.format(title) for title in ("Parameters", "Returns", "Yields")],
    "google": (r"^[ \t]*(Args|Arguments):", r"^[ \t]*Returns:", r"^[ \t]*Raises:"),
}
_CROWDED_HEADING = re.compile(r"(?<=\S)[ \t]*\n(?=(args|arguments|parameters|params):[ \t]*\n[ \t]+\S)", re.IGNORECASE)


@dataclass(frozen=True)
class FunctionDocs:
    """A function's description, and those of its parameters by name."""

    description: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)


def read_docstring(function: Callable[..., Any], style: DocstringStyle | None = None) -> FunctionDocs:
    """The function's docstring, in the style given or else in the one that it seems to be written in."""
    text = inspect.getdoc(function)
    if not text:
        return FunctionDocs()
    style = style or detect_style(text)
    docstring = Docstring(text)
    docstring.value = _set_off_heading(text) if style == "google" else text  # as a value, it is not dedented again
    sections = docstring.parse(style, warnings=False)
    texts = [section.value for section in sections if isinstance(section, DocstringSectionText)]
    return FunctionDocs(texts[0] if texts else None, _parameter_descriptions(sections))


def detect_style(text: str) -> DocstringStyle:
    """The style with most of its marks in the text; of equals sphinx, then numpy."""
    counts = {style: sum(bool(re.search(mark, text, re.M)) for mark in marks) for style, marks in _MARKS.items()}
    best = max(counts, key=counts.__getitem__)
    return best if counts[best] else "google"


def _set_off_heading(text: str) -> str:
    """Griffe knows a section by the blank line above it, which people forget above `Args:`."""
    return _CROWDED_HEADING.sub("\n\n", text)


def _parameter_descriptions(sections: Sequence[DocstringSection]) -> dict[str, str]:
    listed = [section.value for section in sections if type(section) is DocstringSectionParameters]
    return {parameter.name.lstrip("*"): parameter.description for group in listed for parameter in group}
