"""`HostedTool`: a tool that the model's server runs, such as web search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from orchestrator.errors import UserError


@dataclass(frozen=True)
class HostedTool:
    """A tool of the model's server. The definition, as the Responses API has it, is passed on untouched."""

    definition: Mapping[str, Any]

    def __post_init__(self) -> None:
        if not isinstance(self.definition, Mapping) or not isinstance(self.definition.get("type"), str):
            raise UserError(f"A hosted tool's definition needs a `type`, such as `web_search`: {self.definition!r}.")

    @property
    def name(self) -> str:
        """Tells the tools of an agent apart: the type and, as there may be many MCP servers, the server's label."""
        label = self.definition.get("server_label")
        return f"{self.definition['type']}:{label}" if label else str(self.definition["type"])


def web_search(
    *,
    search_context_size: Literal["low", "medium", "high"] = "medium",
    user_location: Mapping[str, Any] | None = None,
    filters: Mapping[str, Any] | None = None,
    external_web_access: bool | None = None,
) -> HostedTool:
    """Searching the web. `filters` is `{"allowed_domains": [...]}`; no access means cached pages only."""
    optional = {} if external_web_access is None else {"external_web_access": external_web_access}
    return HostedTool(
        {
            "type": "web_search",
            "filters": filters,
            "user_location": user_location,
            "search_context_size": search_context_size,
            **optional,
        }
    )


def file_search(
    vector_store_ids: Sequence[str],
    *,
    max_num_results: int | None = None,
    ranking_options: Mapping[str, Any] | None = None,
    filters: Mapping[str, Any] | None = None,
) -> HostedTool:
    """Searching vector stores of the provider.

    To see what was found, add `"file_search_call.results"` to `ModelSettings.response_include`.
    """
    options = {"max_num_results": max_num_results, "ranking_options": ranking_options, "filters": filters}
    given = {name: option for name, option in options.items() if option}
    return HostedTool({"type": "file_search", "vector_store_ids": list(vector_store_ids), **given})


def code_interpreter(container: str | Mapping[str, Any] | None = None) -> HostedTool:
    """Running Python in a container of the provider: an existing one's id, or how to make one."""
    return HostedTool({"type": "code_interpreter", "container": container or {"type": "auto"}})
