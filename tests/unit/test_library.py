"""The offline search, and when the web is searched instead."""

from pathlib import Path

import pytest

from orchestrator import HostedTool, Settings
from tasks.library import PAGES, Library, search_docs, search_tool


def test_documentation_is_found_by_a_question() -> None:
    library = Library(PAGES)

    found = library.search("how do I cancel a run?")

    assert ("runs.md", "Cancel") in [(passage.page, passage.section) for passage in found]
    library.close()


@pytest.mark.parametrize("query", ["", "???", "what is it", 'xyzzy "AND" (', "zzzzqqq"])
def test_search_for_what_is_not_there_finds_nothing(tmp_path: Path, query: str) -> None:
    (tmp_path / "page.md").write_text("# Pears\n\nThey are green.\n\n## Stones\n\nThey have none.\n")
    library = Library(tmp_path)

    assert library.search(query) == []
    library.close()


def test_word_in_a_heading_counts_more_than_one_in_the_text(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("# Apples\n\nStones are not apples.\n\n# Stones\n\nThey are grey.\n")
    library = Library(tmp_path)

    assert [passage.section for passage in library.search("stone")] == ["Stones", "Apples"]
    library.close()


def test_sections_are_in_the_pages_order(tmp_path: Path) -> None:
    (tmp_path / "b.md").write_text("# Pears\n\nGreen.\n")
    (tmp_path / "a.md").write_text("# Stones\n\nGrey.\n\n## Apples\n\nRed.\n")
    library = Library(tmp_path)

    assert library.sections() == ["Stones", "Apples", "Pears"]
    library.close()


def test_folder_without_pages_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        Library(tmp_path)


def test_web_is_searched_where_openai_does_it() -> None:
    tool = search_tool(Settings(openai_api_key="k"))

    assert isinstance(tool, HostedTool)
    assert tool.definition["type"] == "web_search"


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(openai_base_url="http://localhost:1/v1"),
        Settings(openai_api_key="k", openai_base_url="http://localhost:1/v1"),
        Settings(openai_api_key="k", model_api="chat"),
        Settings(openai_api_key="k", model_api="rehearsal"),
        Settings(openai_api_key="k", model="chat/gpt-5.6-luna"),
    ],
    ids=lambda settings: settings.model_api or settings.model or settings.openai_base_url or "nothing",
)
def test_elsewhere_the_documentation_is_searched(settings: Settings) -> None:
    assert search_tool(settings) is search_docs
