"""Searching: the web where the model's server offers that, else this project's own pages in `docs/`, offline."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from orchestrator import FunctionTool, HostedTool, RunContext, Settings, function_tool, web_search
from orchestrator.settings import load_settings

PAGES = Path(__file__).parents[1] / "docs"
LEFT_OUT = frozenset({"jobs.md", "protocol.md", "real-model.md", "real-model-jobs.md"})
"""Pages that quote questions, which would be found in place of answers, and the one that is a specification."""
SHOWN_CHARACTERS = 700
# fmt: off
COMMON_WORDS = frozenset([
    "a", "an", "and", "are", "as", "at", "be", "by", "can", "do", "does", "for", "from", "how", "i", "if", "in", "is",
    "it", "its", "me", "my", "of", "on", "or", "our", "should", "that", "the", "they", "this", "to", "we", "what",
    "when", "where", "which", "who", "why", "with", "you", "your",
])
# fmt: on
_HEADING = re.compile(r"^#{1,3} (?P<title>.+)$", re.M)


class Passage(BaseModel):
    """A section of a page that was found."""

    page: str
    section: str
    text: str


class Library:
    """The sections of Markdown pages, in an SQLite full-text index. Safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        rows = [row for page in _pages(folder) for row in _sections(page)]
        if not rows:
            raise FileNotFoundError(f"There are no pages to search in {folder}. Copy the project's docs/ there.")
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(":memory:", check_same_thread=False)
        self._connection.execute("CREATE VIRTUAL TABLE sections USING fts5(page, section, text, tokenize='porter')")
        self._connection.executemany("INSERT INTO sections VALUES (?, ?, ?)", rows)

    def search(self, query: str, limit: int = 3) -> list[Passage]:
        """The sections that fit best (bm25; a word in a heading counts most), best first."""
        asked = [word for word in re.findall(r"\w+", query.lower()) if word not in COMMON_WORDS]
        words = " OR ".join(f'"{word}"' for word in asked)
        if not words:
            return []
        with self._lock:
            rows = self._connection.execute(
                "SELECT page, section, text FROM sections WHERE sections MATCH ? "
                "ORDER BY bm25(sections, 2.0, 4.0, 1.0) LIMIT ?",
                (words, limit),
            ).fetchall()
        return [Passage(page=page, section=section, text=text[:SHOWN_CHARACTERS]) for page, section, text in rows]

    def sections(self) -> list[str]:
        """The headings of all pages, in their order."""
        with self._lock:
            return [heading for (heading,) in self._connection.execute("SELECT section FROM sections ORDER BY rowid")]

    def close(self) -> None:
        """Close the index."""
        self._connection.close()


def open_library() -> Library:
    """The project's pages. For `ctx.resource(open_library)`."""
    return Library(PAGES)


def _pages(folder: Path) -> list[Path]:
    return sorted(page for page in folder.glob("*.md") if page.name not in LEFT_OUT)


def _sections(page: Path) -> Iterator[tuple[str, str, str]]:
    text = page.read_text(encoding="utf-8")
    found = list(_HEADING.finditer(text))
    ends = [heading.start() for heading in found[1:]] + [len(text)]
    for heading, end in zip(found, ends, strict=True):
        yield page.name, heading["title"], text[heading.end() : end].strip()


@function_tool(output_format="json", failure_error_function=None)
def search_docs(ctx: RunContext[Any], query: str) -> list[Passage]:
    """Search the documentation of celery-orchestrator, on this machine. This is no web search.

    A search that finds nothing ends the run that made it: who asked for it goes on with what others found.

    Args:
        query: A few words, such as "worker dies in a tool call".
    """
    found = ctx.resource(open_library).search(query)
    if not found:
        raise LookupError(f"The documentation has nothing about {query!r}.")
    return found


def search_tool(settings: Settings) -> FunctionTool | HostedTool:
    """OpenAI's web search where OpenAI answers over the Responses API; else `search_docs`."""
    is_openai = settings.openai_api_key is not None and settings.openai_base_url is None
    speaks_responses = settings.model_api in (None, "responses")
    names_another = (settings.model or "").startswith(("chat/", "schema-union/", "rehearsal"))
    if is_openai and speaks_responses and not names_another:
        return web_search(search_context_size="low")
    return search_docs


SEARCH = search_tool(load_settings())
"""What agents of this process search with."""
