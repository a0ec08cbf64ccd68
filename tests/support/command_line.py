"""The command line in this process, and a clerk to give commands to."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from orchestrator.agent import Agent
from orchestrator.cli import app
from orchestrator.models.base import Model
from orchestrator.tool import function_tool
from tests.support.in_process import InProcess

Command = Callable[..., Result]
"""Runs a command of `orchestrator`, as in `command("run", "clerk", "Hi")`."""
Use = Callable[[InProcess], Command]


@function_tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def clerk(model: Model) -> Agent[object]:
    """An agent who adds."""
    return Agent("clerk", model=model, tools=[add])


def use_app(shop: InProcess, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Let commands work with an app in this process."""
    monkeypatch.setattr("orchestrator.cli.workspace.load_app", lambda named: shop.as_loaded())
    return lambda *arguments, **options: CliRunner().invoke(app, list(arguments), **options)
