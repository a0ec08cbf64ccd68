"""Tools of the model's server: equal to the Agents SDK's on the wire."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.errors import UserError
from orchestrator.tool import HostedTool, code_interpreter, file_search, web_search


def test_hosted_tools_equal_the_agents_sdks_on_the_wire() -> None:
    sdk = pytest.importorskip("agents")
    converter = pytest.importorskip("agents.models.openai_responses").Converter
    filters = {"type": "eq", "key": "k", "value": "v"}
    location = {"type": "approximate", "city": "Rome"}
    pairs = [
        (web_search(), sdk.WebSearchTool()),
        (
            web_search(search_context_size="low", user_location=location, external_web_access=False),
            sdk.WebSearchTool(search_context_size="low", user_location=location, external_web_access=False),
        ),
        (
            web_search(filters={"allowed_domains": ["x.org"]}),
            sdk.WebSearchTool(filters={"allowed_domains": ["x.org"]}),
        ),
        (file_search(["vs"]), sdk.FileSearchTool(["vs"])),
        (
            file_search(["vs"], max_num_results=3, filters=filters, ranking_options={"ranker": "auto"}),
            sdk.FileSearchTool(["vs"], max_num_results=3, filters=filters, ranking_options={"ranker": "auto"}),
        ),
        (
            code_interpreter(),
            sdk.CodeInterpreterTool({"type": "code_interpreter", "container": {"type": "auto"}}),
        ),
        (code_interpreter("cntr_1"), sdk.CodeInterpreterTool({"type": "code_interpreter", "container": "cntr_1"})),
    ]

    for ours, theirs in pairs:
        assert [ours.definition] == converter.convert_tools([theirs], []).tools
        assert ours.name == theirs.name


def test_hosted_tools_of_several_mcp_servers_have_different_names() -> None:
    names = {HostedTool({"type": "mcp", "server_label": label}).name for label in ("docs", "mail")}

    assert names == {"mcp:docs", "mcp:mail"}


@pytest.mark.parametrize("definition", [{}, {"type": 3}, "web_search"])
def test_hosted_tool_needs_a_type(definition: Any) -> None:
    with pytest.raises(UserError, match="needs a `type`"):
        HostedTool(definition)
