"""What a model is told of a JSON schema that its server does not show it."""

from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from orchestrator.models.schema_words import describe


class Leg(BaseModel):
    """A part of a journey."""

    to: str = Field(description="A city.")
    by: Literal["train", "boat"]


class Journey(BaseModel):
    """A way from one place to another."""

    legs: list[Leg] = Field(description="One to three.")
    price: float | None
    is_direct: bool


class Branch(BaseModel):
    """A tree."""

    branches: list["Branch"]


def test_fields_are_told_with_their_descriptions_however_deep() -> None:
    assert describe(Journey.model_json_schema()) == (
        '{"legs": [{"to": string (A city.), "by": "train" or "boat"}, …] (One to three.), '
        '"price": number or null, "is_direct": boolean}'
    )


def test_schema_inside_itself_ends() -> None:
    assert describe(Branch.model_json_schema()) == '{"branches": [value, …]}'


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "object", "properties": {}}, "{}"),
        ({"const": "yes"}, '"yes"'),
        ({"type": ["string", "null"]}, "string or null"),
        ({"type": "array"}, "[value, …]"),
        ({"$ref": "#/$defs/Missing"}, "value"),
        ({"properties": {"any": True}}, '{"any": value}'),
        ({}, "value"),
    ],
    ids=str,
)
def test_every_schema_has_words(schema: dict[str, Any], words: str) -> None:
    assert describe(schema) == words
