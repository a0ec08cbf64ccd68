"""The one seam to a model: a request goes in, a reply comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from orchestrator.model_settings import ModelSettings
from orchestrator.usage import Usage

Item = dict[str, Any]
"""A conversation item in the shape of OpenAI's Responses API: message, function_call, reasoning …"""

OnDelta = Callable[[str], None]
"""Called with each piece of text while a reply is streamed."""


@dataclass(frozen=True)
class OutputFormat:
    """The JSON schema that the final message must follow."""

    name: str
    schema: Mapping[str, Any]
    strict: bool = True


@dataclass(frozen=True)
class ToolSpec:
    """A function as the model sees it. Tools and handoffs look alike."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    strict: bool = True


@dataclass(frozen=True)
class ModelRequest:
    """Everything a model needs for one call."""

    instructions: str | None
    input: Sequence[Item]
    tools: Sequence[ToolSpec | Mapping[str, Any]] = ()
    """Functions, and the definitions of hosted tools, which are passed to the server untouched."""
    output_format: OutputFormat | None = None
    settings: ModelSettings = field(default_factory=ModelSettings)
    prompt: Mapping[str, Any] | None = None
    agent: str = ""
    """The asking agent's name; only the rehearsal model and logs read it."""

    @property
    def functions(self) -> list[ToolSpec]:
        """The tools that are functions here: tools and handoffs."""
        return [tool for tool in self.tools if isinstance(tool, ToolSpec)]

    @property
    def hosted_tools(self) -> list[Mapping[str, Any]]:
        """The tools that the server runs."""
        return [tool for tool in self.tools if not isinstance(tool, ToolSpec)]


@dataclass(frozen=True)
class ModelReply:
    """What came back: Responses output items, usage, and who answered."""

    items: list[Item]
    usage: Usage
    model: str
    response_id: str | None = None
    pause_seconds: float | None = None
    """The server has no room for further calls of this model for so long."""


class Model(Protocol):
    """A model that can be asked.

    Raises `ModelUnavailable` for what may pass (429, 5xx, timeouts, broken connections, after the
    client's own retries), `ModelRequestRejected` for what will not (400, 401, 404 …) and
    `ModelBehaviorError` for a reply that is no valid response.
    """

    @property
    def name(self) -> str:
        """The model's name as replies and the command line show it."""

    async def respond(self, request: ModelRequest, *, on_delta: OnDelta | None = None) -> ModelReply:
        """One model call. Streams when `on_delta` is given or the settings ask for it."""
