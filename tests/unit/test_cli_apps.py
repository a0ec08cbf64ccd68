"""What `-A` finds, and what is said when it finds nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.cli.apps import load_app
from orchestrator.cli.exits import CommandError
from orchestrator.cli.plan import agent_queues, plan_flower, plan_workers, tool_queues

SHOP = """
from orchestrator import Agent, create_app, function_tool

@function_tool(queue="heavy")
def draw(size: int) -> str:
    "Draw."
    return "x" * size

clerk = Agent("clerk", tools=[draw])
vip = Agent("vip", queue="fast")
app = create_app("shop", agents=[clerk, vip])
other = create_app("other", agents=[Agent("porter")])
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to work in, whose modules are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    workers = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "workers"}
    yield tmp_path
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]
    sys.modules.update(workers)


def test_an_app_is_found_by_module(folder: Path) -> None:
    (folder / "shop1.py").write_text(SHOP)

    loaded = load_app("shop1")

    assert loaded.spec == "shop1:app"
    assert sorted(loaded.orchestrator.registry.agents) == ["clerk", "vip"]


@pytest.mark.parametrize("spec", ["shop2:other", "shop2.other"])
def test_an_app_is_found_by_module_and_attribute(folder: Path, spec: str) -> None:
    (folder / "shop2.py").write_text(SHOP)

    loaded = load_app(spec)

    assert loaded.spec == "shop2:other"
    assert list(loaded.orchestrator.registry.agents) == ["porter"]


@pytest.mark.parametrize(
    ("source", "spec", "said"),
    [
        (None, "nowhere", "There is no module `nowhere`"),
        ("import not_there", "shop", "needs `not_there`, which is not installed"),
        ("x = 1", "shop", "has no Celery app"),
        ("x = 1", "shop:x", "`shop:x` is no Celery app"),
        ("x = 1", "shop.x", "`shop:x` is no Celery app"),
        ("1 / 0", "shop", "cannot be imported: ZeroDivisionError: division by zero"),
        ("from celery import Celery\napp = Celery()", "shop", "install(app, agents=[…])"),
        (
            "from orchestrator import Agent, create_app\napp = create_app(agents=[Agent('a'), Agent('a')])",
            "shop",
            "cannot be loaded: ",
        ),
    ],
)
def test_what_is_wrong_is_named_with_a_remedy(folder: Path, source: str | None, spec: str, said: str) -> None:
    if source is not None:
        (folder / "shop.py").write_text(source)

    with pytest.raises(CommandError) as caught:
        load_app(spec)

    assert said in caught.value.message


def test_without_a_name_the_deployments_own_app_is_taken(folder: Path) -> None:
    (folder / "workers").mkdir()
    (folder / "workers" / "app.py").write_text(SHOP)

    assert load_app(None).spec == "workers.app:app"


def test_without_a_name_and_without_that_app_one_is_asked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if not (Path(entry) / "workers").is_dir()])

    with pytest.raises(CommandError, match="orchestrator -A module"):
        load_app(None)


def test_workers_take_from_every_queue_that_agents_and_tools_name(folder: Path) -> None:
    (folder / "shop3.py").write_text(SHOP)
    loaded = load_app("shop3")

    plans = plan_workers(loaded, workers=2, concurrency=None, host="here")

    assert agent_queues(loaded) == ["celery", "fast"]
    assert tool_queues(loaded) == ["heavy"]
    assert [(plan.name, plan.node) for plan in plans] == [
        ("llm1", "llm1@here"),
        ("llm2", "llm2@here"),
        ("cpu", "cpu@here"),
    ]
    assert "celery,fast" in plans[0].arguments
    assert {"processes", "heavy"} <= set(plans[2].arguments)


def test_flower_takes_the_configuration_beside_the_app(folder: Path) -> None:
    pytest.importorskip("flower")
    (folder / "shop4.py").write_text(SHOP)
    (folder / "flowerconfig.py").write_text("")

    plan = plan_flower(load_app("shop4"), port=1234)

    assert plan is not None
    assert f"--conf={folder / 'flowerconfig.py'}" in plan.arguments
    assert "--address=127.0.0.1" in plan.arguments
