"""How a model is to be called: sampling, tool choice, limits."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class ModelSettings(BaseModel):
    """Settings of one model call; `None` leaves the server's default. Names are the Agents SDK's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float | None = None
    top_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    tool_choice: str | None = None
    """`"auto"`, `"required"`, `"none"` or the name of a tool."""
    parallel_tool_calls: bool | None = None
    truncation: Literal["auto", "disabled"] | None = None
    max_tokens: int | None = None
    reasoning: dict[str, Any] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    metadata: dict[str, str] | None = None
    store: bool | None = None
    prompt_cache_retention: Literal["in_memory", "24h"] | None = None
    include_usage: bool | None = None
    response_include: list[str] | None = None
    top_logprobs: int | None = None
    extra_query: dict[str, Any] | None = None
    extra_body: dict[str, Any] | None = None
    extra_headers: dict[str, str] | None = None
    extra_args: dict[str, Any] | None = None
    timeout: float | None = None
    """Seconds for one attempt of one call."""
    stream: bool | None = None
    """Ask the server to stream the reply. The reply itself is the same."""

    def resolve(self, override: ModelSettings | None) -> ModelSettings:
        """These settings with every field that `override` sets; `extra_args` are merged."""
        if override is None:
            return self
        changes = {name: value for name, value in override if value is not None}
        if self.extra_args and override.extra_args:
            changes["extra_args"] = {**self.extra_args, **override.extra_args}
        return self.model_copy(update=changes)
