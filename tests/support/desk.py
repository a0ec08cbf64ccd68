"""A desk whose clerk talks in sessions, for tests in this process."""

from __future__ import annotations

from typing import Any

from orchestrator.agent import Agent
from orchestrator.client import Client
from orchestrator.models.base import Item
from orchestrator.session import Session
from orchestrator.testing import ScriptedModel
from orchestrator.tool import function_tool
from tests.support.in_process import InProcess

SECONDS = 60


@function_tool
def look_up(order: str) -> str:
    """Look something up."""
    return f"{order} is on its way"


class Desk:
    """An app in this process whose one agent plays a script."""

    def __init__(self, *replies: Any, **fields: Any) -> None:
        self.model = ScriptedModel(replies)
        self.agent = Agent("clerk", model=self.model, tools=[look_up], **fields)
        self.app = InProcess([self.agent])
        self.client: Client = self.app.client

    def say(self, text: str, session: Session | str = "chat", **options: Any) -> Any:
        return self.client.submit(self.agent, text, session=session, **options).result(SECONDS)

    def session(self, **options: Any) -> Session:
        return self.client.session("chat", **options)


def texts(items: list[Item]) -> list[str]:
    """What was said, and which calls were made and answered."""
    return [_text(item) for item in items]


def _text(item: Item) -> str:
    if item.get("type") == "function_call":
        return f"call {item['name']}"
    if item.get("type") == "function_call_output":
        return f"output {item['output']}"
    content = item["content"]
    return content if isinstance(content, str) else str(content[0]["text"])
