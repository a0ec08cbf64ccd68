"""Fixtures for tests of the command line: apps in this process that commands work with."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.testing import ScriptedModel, function_call
from tests.support.command_line import Command, Use, clerk, use_app
from tests.support.in_process import InProcess


@pytest.fixture
def use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Use:
    """Makes commands work with an app in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ORCHESTRATOR_REDIS_URL", raising=False)
    return lambda shop: use_app(shop, monkeypatch)


@pytest.fixture
def sums(use: Use) -> Command:
    """A shop with a clerk who adds, once."""
    return use(InProcess([clerk(ScriptedModel([function_call("add", {"a": 1, "b": 2}), "It is 3."]))]))


@pytest.fixture
def busy(use: Use) -> Command:
    """A shop where nobody has time."""
    return use(InProcess([clerk(ScriptedModel([]))], is_busy=True))
