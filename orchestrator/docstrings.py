"""Reads what a docstring says about a function and its parameters."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from griffe import Docstring, DocstringParameter, DocstringSection, DocstringSectionKind

DocstringStyle = Literal["google", "numpy", "sphinx"]

_UNDERLINED = r"^[ \t]*{}[ \t]*\n[ \t]*-{{3,}}[ \t]*$"
_MARKS: Mapping[DocstringStyle, tuple[str, ...]] = {
    "sphinx": (r"^[ \t]*:param\b", r"^[ \t]*:type\b", r"^[ \t]*:return:", r"^[ \t]*:rtype:"),
    "numpy": tuple(_UNDERLINED.format(title) for title in ("Parameters", "Returns", "Yields")),
    "google": (r"^[ \t]*(Args|Arguments):", r"^[ \t]*Returns:", r"^[ \t]*Raises:"),
}


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
    # Griffe warns about whatever it cannot find in the source, which it does not have here.
    sections = Docstring(text).parse(style or detect_style(text), warnings=False)
    texts = [section.value for section in sections if section.kind is DocstringSectionKind.text]
    return FunctionDocs(texts[0] if texts else None, _parameter_descriptions(sections))


def detect_style(text: str) -> DocstringStyle:
    """The style with most of its marks in the text; of equals sphinx, then numpy."""
    counts = {style: sum(bool(re.search(mark, text, re.M)) for mark in marks) for style, marks in _MARKS.items()}
    best = max(counts, key=counts.__getitem__)
    return best if counts[best] else "google"


def _parameter_descriptions(sections: list[DocstringSection]) -> dict[str, str]:
    listed = [section.value for section in sections if section.kind is DocstringSectionKind.parameters]
    parameters = cast(list[DocstringParameter], [parameter for group in listed for parameter in group])
    return {parameter.name.lstrip("*"): parameter.description for parameter in parameters}
