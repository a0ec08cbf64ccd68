"""What a tool returns, in the form that a model sees: text, or items with text, images and files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import to_json

OutputFormat = Literal["str", "json"]


class ToolOutputText(BaseModel):
    """Text, for a tool that returns it beside images or files."""

    type: Literal["text"] = "text"
    text: str


class ToolOutputImage(BaseModel):
    """An image that the model can look at: a URL (`data:` or web), or a file at the model's provider."""

    type: Literal["image"] = "image"
    image_url: str | None = None
    file_id: str | None = None
    detail: Literal["low", "high", "auto"] | None = None

    @model_validator(mode="after")
    def _has_source(self) -> ToolOutputImage:
        if self.image_url is None and self.file_id is None:
            raise ValueError("an image needs an image_url or a file_id")
        return self


class ToolOutputFileContent(BaseModel):
    """A file that the model can read: base64 data, a URL, or a file at the model's provider."""

    type: Literal["file"] = "file"
    file_data: str | None = None
    file_url: str | None = None
    file_id: str | None = None
    filename: str | None = None

    @model_validator(mode="after")
    def _has_source(self) -> ToolOutputFileContent:
        if self.file_data is None and self.file_url is None and self.file_id is None:
            raise ValueError("a file needs file_data, a file_url or a file_id")
        return self


ToolOutput = ToolOutputText | ToolOutputImage | ToolOutputFileContent
_FROM_DICT: TypeAdapter[ToolOutput] = TypeAdapter(Annotated[ToolOutput, Field(discriminator="type")])


def encode_output(value: Any, output_format: OutputFormat = "str") -> str | list[dict[str, Any]]:
    """The `output` of a `function_call_output`: content items for `ToolOutput…` (also as dicts, also in a
    list), else text.

    Text is `str()` of the value, as in the Agents SDK, or JSON (`"json"`), which leaves a `str` as it is.
    """
    contents = _as_contents(value)
    if contents:
        return [_as_item(content) for content in contents]
    if output_format == "str" or isinstance(value, str):
        # Half a surrogate pair, as file names may hold, has no place in JSON: the run could not be stored.
        return str(value).encode(errors="replace").decode()
    return to_json(value, fallback=str).decode()


def _as_contents(value: Any) -> list[ToolOutput]:
    """The contents that a value stands for; none if any part of it is something else."""
    parts: Sequence[Any] = value if isinstance(value, list | tuple) else [value]
    contents = [content for part in parts if (content := _as_content(part)) is not None]
    return contents if len(contents) == len(parts) else []


def _as_content(value: Any) -> ToolOutput | None:
    if isinstance(value, ToolOutput):
        return value
    if not isinstance(value, dict):
        return None
    try:
        return _FROM_DICT.validate_python(value)
    except ValidationError:
        return None  # a dict like any other


def _as_item(content: ToolOutput) -> dict[str, Any]:
    return {**content.model_dump(exclude_none=True), "type": f"input_{content.type}"}
