"""Where commands write to, and how they word values: clipped, masked, timed."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from rich.console import Console
from rich.table import Table

from orchestrator.entries import Item

PLAIN_WIDTH = 200
"""Where nobody looks: wide enough that lines of a table or tree stay one line each."""


def console() -> Console:
    """Standard output."""
    return Console(width=_width(sys.stdout), highlight=False)


def error_console() -> Console:
    """Standard error."""
    return Console(stderr=True, width=_width(sys.stderr), highlight=False)


def _width(stream: Any) -> int | None:
    return None if stream.isatty() or "COLUMNS" in os.environ else PLAIN_WIDTH


def say(text: str = "", style: str | None = None) -> None:
    """One line, or a paragraph, as it is."""
    console().print(text, style=style, markup=False, soft_wrap=True)


def say_aside(text: str, style: str | None = None) -> None:
    """One line on standard error: not part of what a script reads."""
    error_console().print(text, style=style, markup=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """One line of JSON for scripts."""
    print(json.dumps(value, ensure_ascii=False), flush=True)


def plain_table(*columns: str) -> Table:
    """A table without a frame: readable on a screen, easy to cut in a script."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="ellipsis", no_wrap=True)
    return table


def print_table(table: Table) -> None:
    """The table; without blanks at the ends of lines where a script reads them."""
    screen = console()
    if screen.is_terminal:
        screen.print(table)
        return
    with screen.capture() as captured:
        screen.print(table)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def clean(text: str) -> str:
    """The text without control characters: a model's words must not steer the terminal."""
    return "".join(
        character if character.isprintable() or character in "\n\t" else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )


def clip(text: Any, length: int = 100) -> str:
    """One short line."""
    line = clean(" ".join(as_text(text).split()))
    return line if len(line) <= length else line[: length - 1] + "…"


def as_text(value: Any) -> str:
    """Text as it is, nothing as nothing, all else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def format_arguments(arguments: str, length: int = 80) -> str:
    """A call's JSON arguments as Python would write them, clipped."""
    try:
        parsed = json.loads(arguments or "{}")
    except ValueError:
        return clip(arguments, length)
    if not isinstance(parsed, dict):
        return clip(parsed, length)
    return clip(", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in parsed.items()), length)


def format_seconds(seconds: float) -> str:
    """A duration for people."""
    if seconds < 10:
        return f"{max(0.0, seconds):.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def format_tokens(tokens: int) -> str:
    """A number of tokens for people."""
    return f"{tokens:,} token" + ("" if tokens == 1 else "s")


def mask_url(url: str) -> str:
    """The URL without its password, and without secrets in its query."""
    parts = urlsplit(url)
    location = re.sub(r":[^:@/]*@", ":***@", parts.netloc)
    query = re.sub(r"(?i)((?:password|token|secret|key)=)[^&]*", r"\1***", parts.query)
    return urlunsplit(parts._replace(netloc=location, query=query))


def text_of(items: Iterable[Item]) -> str:
    """The words in items: of messages, or of an input."""
    parts: list[str] = []
    for item in items:
        content = item.get("content") if item.get("role") or item.get("type") == "message" else None
        if isinstance(content, str):
            parts.append(content)
        elif isinstance(content, list):
            parts += [str(part.get("text") or part.get("refusal") or "") for part in content]
    return "\n".join(part for part in parts if part)
