"""What models see of a value: equal to the Agents SDK, or JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from orchestrator.tool import ToolOutputFileContent, ToolOutputImage, ToolOutputText, ToolResult, function_tool
from orchestrator.tool_output import encode_output
from tests.support.tool_calls import call


class Note(BaseModel):
    n: int = 1


TEXT_VALUES: list[Any] = ["text", "", 1, 1.5, True, None, {"a": 1}, {}, [], [1, "a"], (), {1}, b"x", Note(), [Note()]]
CONTENT_DICTS: list[Any] = [
    {"type": "text", "text": "hi"},
    {"type": "text", "text": "hi", "more": 1},
    {"type": "image", "image_url": "https://x/y.png"},
    {"type": "image", "file_id": "f", "detail": "low"},
    {"type": "image", "image_url": "u", "detail": None},
    {"type": "file", "file_id": "f"},
    {"type": "file", "file_url": "u"},
    {"type": "file", "file_data": "QQ==", "filename": "a.pdf"},
    [{"type": "text", "text": "a"}, {"type": "image", "image_url": "u"}],
    ({"type": "text", "text": "a"},),
]
CONTENT_LOOKALIKES: list[Any] = [
    {"type": "text"},
    {"type": "text", "text": 5},
    {"text": "hi"},
    {"type": "image"},
    {"type": "image", "image_url": "u", "detail": "huge"},
    {"type": "file", "filename": "a.pdf"},
    {"type": "other"},
    {"type": "input_text", "text": "x"},
    [{"type": "text", "text": "a"}, "b"],
    [[{"type": "text", "text": "a"}]],
]


@pytest.mark.parametrize("value", [*TEXT_VALUES, *CONTENT_DICTS, *CONTENT_LOOKALIKES], ids=str)
def test_output_equals_the_agents_sdks(value: Any) -> None:
    assert encode_output(value) == _sdk_output(value)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("ToolOutputText", {"text": "hi"}),
        ("ToolOutputImage", {"image_url": "u", "detail": "auto"}),
        ("ToolOutputFileContent", {"file_data": "QQ==", "filename": "a.pdf"}),
    ],
)
def test_content_objects_become_the_agents_sdks_items(name: str, fields: dict[str, Any]) -> None:
    sdk = pytest.importorskip("agents")
    ours = {c.__name__: c for c in (ToolOutputText, ToolOutputImage, ToolOutputFileContent)}[name](**fields)
    theirs = getattr(sdk, name)(**fields)

    assert encode_output(ours) == _sdk_output(theirs)
    assert encode_output([ours, {"type": "text", "text": "b"}]) == _sdk_output([theirs, {"type": "text", "text": "b"}])


def _sdk_output(value: Any) -> Any:
    sdk = pytest.importorskip("agents")
    from openai.types.responses import ResponseFunctionToolCall

    asked = ResponseFunctionToolCall(type="function_call", call_id="c", name="t", arguments="{}")
    return sdk.ItemHelpers.tool_call_output_item(asked, value)["output"]


@pytest.mark.parametrize("content_type", [ToolOutputImage, ToolOutputFileContent])
def test_content_needs_a_source(content_type: Callable[[], Any]) -> None:
    with pytest.raises(ValidationError, match="needs"):
        content_type()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is", "as it is"),
        ({"a": 1, "ü": None}, '{"a":1,"ü":null}'),
        (Note(), '{"n":1}'),
        (None, "null"),
        ([Note(), "x"], '[{"n":1},"x"]'),
    ],
)
def test_values_can_be_json_instead(value: Any, text: str) -> None:
    assert encode_output(value, "json") == text


def test_contents_stay_contents_among_json() -> None:
    assert encode_output(ToolOutputText(text="hi"), "json") == [{"type": "input_text", "text": "hi"}]


def test_text_that_is_no_unicode_is_made_so() -> None:
    assert encode_output("report-\udcff.txt") == "report-?.txt"


async def test_result_keeps_the_value_beside_what_the_model_sees() -> None:
    result = await call(function_tool(lambda: Note(n=2), name_override="note", output_format="json"))

    assert result == ToolResult(output='{"n":2}', value=Note(n=2), failed=False)
