"""Conversations on the command line."""

from __future__ import annotations

import json

import pytest

from orchestrator.agent import Agent
from orchestrator.testing import ScriptedModel, function_call
from orchestrator.tool import function_tool
from tests.support.command_line import Command, Use
from tests.support.in_process import InProcess


@function_tool
def look_up(order: str) -> str:
    """Look something up."""
    return f"{order} is on its way"


@pytest.fixture
def shop(use: Use) -> Command:
    """A shop with a clerk who looks things up."""
    model = ScriptedModel([function_call("look_up", {"order": "A1"}), "Soon.", "You are welcome."])
    return use(InProcess([Agent("clerk", model=model, tools=[look_up])]))


def test_conversation_is_gone_on_with_and_shown(shop: Command) -> None:
    shop("run", "clerk", "Where is A1?", "--session", "c42")
    shop("run", "clerk", "Thank you.", "--session", "c42")

    lines = shop("session", "c42").stdout.splitlines()

    assert lines == [
        "c42: 2 exchanges, 2 runs, with clerk",
        "user: Where is A1?",
        '  calls look_up(order="A1")',
        "  returned A1 is on its way",
        "assistant: Soon.",
        "user: Thank you.",
        "assistant: You are welcome.",
    ]


def test_conversation_is_shown_as_json(shop: Command) -> None:
    shop("run", "clerk", "Where is A1?", "--session", "c42")

    shown = json.loads(shop("session", "c42", "--json", "--limit", "1").stdout)

    assert (shown["session"], shown["agent"], shown["exchanges"], shown["line"]) == ("c42", "clerk", 1, [])
    assert [item["role"] for item in shown["items"]] == ["assistant"]


def test_unknown_conversation_is_wrong_usage(shop: Command) -> None:
    result = shop("session", "nobody")

    assert result.exit_code == 2
    assert "There is no session 'nobody'" in result.output
