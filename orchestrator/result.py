"""`RunResult`: what a finished run has to show."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from orchestrator.models.base import Item
from orchestrator.usage import Usage


@dataclass(frozen=True)
class ToolInvocation:
    """The call that a run serves, if an agent was called as a tool."""

    tool_name: str
    tool_call_id: str
    tool_arguments: str


@dataclass(frozen=True)
class RunResult:
    """A finished run."""

    run_id: str
    final_output: Any
    """The answer: text, or an instance of the last agent's `output_type`."""
    input: list[Item]
    new_items: list[Item]
    """Everything generated, as Responses items in order."""
    last_agent: str
    usage: Usage = field(default_factory=Usage)
    context: Any = None
    agent_tool_invocation: ToolInvocation | None = None

    @property
    def text(self) -> str:
        """The answer as text; where it is empty, the last message or tool output that is not."""
        answer = "" if self.final_output is None else str(self.final_output)
        return answer or next((text for item in reversed(self.new_items) if (text := _text_of(item))), "")

    def to_input_list(self) -> list[Item]:
        """The whole conversation, to go on from in another run."""
        return [*self.input, *self.new_items]


def _text_of(item: Item) -> str:
    if item.get("type") == "function_call_output":
        return item["output"] if isinstance(item["output"], str) else ""
    return message_text(item) or ""


def message_text(item: Item) -> str | None:
    """The text of an assistant message; `None` if it is none or holds no text part."""
    if item.get("type", "message") != "message" or item.get("role") != "assistant":
        return None
    content = item.get("content")
    if isinstance(content, str):
        return content
    parts = [part["text"] for part in content or () if part.get("type") == "output_text"]
    return "".join(parts) if parts else None


def message_refusal(item: Item) -> str | None:
    """The refusal in an assistant message, if there is one."""
    content = item.get("content")
    if item.get("type") != "message" or not isinstance(content, list):
        return None
    return next((str(part.get("refusal", "")) for part in content if part.get("type") == "refusal"), None)
