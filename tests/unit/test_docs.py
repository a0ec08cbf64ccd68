"""The documentation: its examples run, and it names what there is to name."""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

import orchestrator
from orchestrator import errors
from orchestrator.agent_tool import as_tool
from orchestrator.cli import app as command_line
from orchestrator.settings import Settings, load_settings
from orchestrator.tool import ToolOptions

REPOSITORY = Path(__file__).parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
SKIP = "<!-- not run:"
"""On the line before a fence: the block is a fragment, or needs a worker."""

_FENCE = re.compile(r"^(?P<indent> *)```python\n(?P<code>.*?)^ *```$", re.M | re.S)
_PRINTED = re.compile(r"^print\(.*\)  # (?P<expected>.+)$", re.M)


@dataclass(frozen=True)
class Block:
    """A Python block of a page."""

    code: str
    line: int
    """The page's line on which the code begins."""
    is_run: bool


def read_blocks(page: Path) -> list[Block]:
    """The page's Python blocks, in order."""
    text = page.read_text(encoding="utf-8")
    blocks = []
    for found in _FENCE.finditer(text):
        before = text[: found.start()].rstrip("\n").rpartition("\n")[2]
        line = text.count("\n", 0, found.start("code")) + 1
        blocks.append(Block(textwrap.dedent(found["code"]), line, not before.strip().startswith(SKIP)))
    return blocks


def all_text() -> str:
    """Every page."""
    return "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The rehearsal model, quick, in a folder of its own."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "ORCHESTRATOR_MODEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ORCHESTRATOR_MODEL_API", "rehearsal")
    monkeypatch.setenv("ORCHESTRATOR_REHEARSAL_LATENCY_SECONDS", "0")
    monkeypatch.chdir(tmp_path)
    load_settings.cache_clear()
    yield
    load_settings.cache_clear()


@pytest.fixture
def namespace_of_page(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """A module's namespace, so that annotations in examples are found as in a file."""
    module = ModuleType("documented")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return vars(module)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    "page", [page for page in PAGES if read_blocks(page)], ids=lambda page: str(page.relative_to(REPOSITORY))
)
def test_examples_of_a_page_run_one_after_the_other(
    page: Path, namespace_of_page: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = [block for block in read_blocks(page) if block.is_run]

    for block in blocks:
        # Blank lines before the code: a traceback then names the page's own line.
        exec(compile("\n" * (block.line - 1) + block.code, str(page), "exec"), namespace_of_page)
    for name, value in list(namespace_of_page.items()):
        if name.startswith("test_") and callable(value):
            value()

    printed = capsys.readouterr().out.splitlines()
    expected = [found["expected"] for block in blocks for found in _PRINTED.finditer(block.code)]
    assert [line for line in expected if line not in printed] == []


def test_what_an_example_prints_as_a_block_of_text_is_what_it_prints(
    namespace_of_page: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    page = REPOSITORY / "docs" / "hooks.md"
    shown = re.search(r"```text\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
    assert shown is not None

    exec(read_blocks(page)[0].code, namespace_of_page)

    assert capsys.readouterr().out == shown[1]


def test_every_public_name_is_mentioned() -> None:
    text = all_text()

    missing = [name for name in orchestrator.__all__ if not re.search(rf"\b{name}\b", text)]

    assert missing == []


def test_every_error_is_on_the_page_of_errors() -> None:
    text = (REPOSITORY / "docs" / "errors.md").read_text(encoding="utf-8")
    classes = [name for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, Exception)]

    assert [name for name in classes if not re.search(rf"\b{name}\b", text)] == []


def test_documented_variables_are_the_ones_that_are_read() -> None:
    prefix = "ORCHESTRATOR_"
    fields = {f"{prefix}{name.upper()}" for name in Settings.model_fields if not name.startswith("openai_")}
    of_command_line = {f"{prefix}APP", f"{prefix}DATA_DIR"}

    documented = set(re.findall(rf"\b{prefix}[A-Z_]+\b", all_text()))

    assert documented == fields | of_command_line


def test_every_command_is_on_the_page_of_the_command_line() -> None:
    text = (REPOSITORY / "docs" / "cli.md").read_text(encoding="utf-8")
    commands = [command.name or command.callback.__name__ for command in command_line.registered_commands]  # type: ignore[union-attr]

    assert [name for name in commands if f"`{name}" not in text] == []


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("agents.md", {field.name for field in dataclasses.fields(orchestrator.Agent)}),
        ("tools.md", set(ToolOptions.__annotations__)),
        ("handoffs.md", set(inspect.signature(orchestrator.handoff).parameters)),
        ("agents-as-tools.md", set(inspect.signature(as_tool).parameters)),
        ("runs.md", set(orchestrator.RunOptions.model_fields) - {"expires_at"}),
        ("runs.md", set(vars(orchestrator.Run))),
        ("hooks.md", {*vars(orchestrator.RunHooks), *vars(orchestrator.AgentHooks)}),
        (
            "testing.md",
            {field.name for field in dataclasses.fields(orchestrator.RunResult)} - {"agent_tool_invocation"},
        ),
        ("testing.md", set(inspect.signature(orchestrator.arun_inline).parameters)),
    ],
)
def test_every_option_is_on_its_page(page: str, names: set[str]) -> None:
    text = (REPOSITORY / "docs" / page).read_text(encoding="utf-8")
    public = {name for name in names if not name.startswith("_")}

    assert [name for name in sorted(public) if not re.search(rf"\b{name}\b", text)] == []


@pytest.mark.parametrize("page", ["architecture.md", "protocol.md", "operations.md", "concepts.md"])
def test_files_that_a_page_names_exist(page: str) -> None:
    text = (REPOSITORY / "docs" / page).read_text(encoding="utf-8")
    folders = [REPOSITORY, REPOSITORY / "orchestrator", REPOSITORY / "tests" / "protocol", REPOSITORY / "docs"]

    named = re.findall(r"`([\w/]+\.(?:py|md|toml))`", text)

    assert [name for name in named if not any((folder / name).is_file() for folder in folders)] == []
