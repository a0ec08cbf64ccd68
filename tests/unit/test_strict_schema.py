"""Strict schemas: equal to the Agents SDK's, and clear about what has no strict form."""

from __future__ import annotations

import copy
import datetime
import enum
import uuid
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, RootModel, TypeAdapter, create_model
from typing_extensions import TypedDict

from orchestrator.errors import UserError
from orchestrator.strict_schema import strict_json_schema


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Address(BaseModel):
    """Where somebody lives."""

    street: str
    zip_code: str | None = None


class Customer(BaseModel):
    name: str = Field(min_length=1, description="Full name")
    home: Address = Field(description="Where to send the bill")
    work: Address | None = None
    color: Color = Field(Color.RED, description="Favourite color")


class Tree(BaseModel):
    value: int
    children: list[Tree] = []


class Linked(BaseModel):
    next: Linked | None = Field(None, description="The one behind")


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    owner: Customer | None = None


class Zoo(BaseModel):
    star: Annotated[Cat | Dog, Field(discriminator="kind")]
    animals: list[Annotated[Cat | Dog, Field(discriminator="kind")]]


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", title="Tight")
    at: datetime.datetime
    id: uuid.UUID
    ratio: float = Field(0.5, ge=0, le=1)


class Order(TypedDict, total=False):
    lines: list[Address]


@dataclass
class Point:
    x: int
    y: int = 0


class Shapes(BaseModel):
    pair: tuple[int, Point]
    points: list[Point]
    order: Order
    anything: Any
    flags: set[bool] = set()
    labels: list[Literal["a", "b"]] = Field(default=["a"], max_length=3)


class Numbers(RootModel[list[int]]):
    pass


class OpenModel(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str


class Empty(BaseModel):
    pass


PYDANTIC_TYPES = [Address, Customer, Tree, Linked, Zoo, Closed, Order, Point, Shapes, Numbers, Empty, list[Customer]]
WRITTEN_SCHEMAS: list[dict[str, Any]] = [
    {},
    {"type": "object"},
    {"properties": {"a": {"type": "object"}}},
    {"type": "object", "properties": {"a": {"allOf": [{"$ref": "#/$defs/A"}]}}, "$defs": {"A": {"type": "string"}}},
    {"type": "object", "properties": {"a": {"allOf": [{"type": "string", "title": "in"}], "title": "out"}}},
    {"type": "object", "properties": {"a": {"allOf": [{"type": "object"}, {"type": "object"}]}}},
    {"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}], "oneOf": [{"type": "object"}]}}},
    {"type": "object", "properties": {"a": {"type": ["object", "null"], "properties": {"b": {"type": "null"}}}}},
    {"type": "object", "properties": {"a": {"$ref": "#/$defs/A~1B", "title": "x"}}, "$defs": {"A/B": {"enum": [1]}}},
    {"$ref": "#/definitions/A", "definitions": {"A": {"type": "object", "properties": {"default": {"default": None}}}}},
]


@pytest.mark.parametrize("python_type", PYDANTIC_TYPES, ids=str)
def test_schema_of_a_pydantic_type_equals_the_agents_sdks(python_type: Any) -> None:
    sdk = pytest.importorskip("agents.strict_schema")
    schema = TypeAdapter(python_type).json_schema()

    strict = strict_json_schema(schema)

    assert strict == sdk.ensure_strict_json_schema(copy.deepcopy(schema))


@pytest.mark.parametrize("schema", WRITTEN_SCHEMAS, ids=str)
def test_schema_written_by_hand_equals_the_agents_sdks(schema: dict[str, Any]) -> None:
    sdk = pytest.importorskip("agents.strict_schema")

    strict = strict_json_schema(schema)

    assert strict == sdk.ensure_strict_json_schema(copy.deepcopy(schema))


def test_every_object_is_closed_and_all_its_properties_are_required() -> None:
    strict = strict_json_schema(Customer.model_json_schema())

    assert strict["additionalProperties"] is False
    assert strict["required"] == ["name", "home", "work", "color"]
    assert strict["$defs"]["Address"]["required"] == ["street", "zip_code"]


def test_reference_beside_a_description_is_inlined() -> None:
    strict = strict_json_schema(Customer.model_json_schema())

    home = strict["properties"]["home"]
    assert "$ref" not in home
    assert home["description"] == "Where to send the bill"
    assert home["properties"]["street"] == {"title": "Street", "type": "string"}


def test_schema_given_is_left_alone() -> None:
    schema = Customer.model_json_schema()
    before = copy.deepcopy(schema)

    strict_json_schema(schema)

    assert schema == before


@pytest.mark.parametrize(
    ("schema", "part"),
    [
        (OpenModel.model_json_schema(), "the root"),
        (TypeAdapter(dict[str, int]).json_schema(), "the root"),
        (create_model("Outer", inner=(OpenModel, ...)).model_json_schema(), "`$defs.OpenModel`"),
        (create_model("Outer", tags=(list[dict[str, str]], ...)).model_json_schema(), "`properties.tags.items`"),
    ],
)
def test_object_with_free_keys_is_refused_by_its_place(schema: dict[str, Any], part: str) -> None:
    with pytest.raises(UserError, match="free keys") as raised:
        strict_json_schema(schema)

    assert f"at {part}." in raised.value.message


@pytest.mark.parametrize(
    "schema",
    [
        {"anyOf": [{"type": "object"}, {"type": "null"}]},
        {"oneOf": [{"type": "object"}]},
        {"type": ["object", "null"], "properties": {}},
    ],
)
def test_root_must_be_one_object(schema: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="root"):
        strict_json_schema(schema)


@pytest.mark.parametrize("reference", ["#/$defs/Missing", "other.json", 3])
def test_reference_that_leads_nowhere_is_refused_by_its_place(reference: Any) -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": reference, "title": "x"}}}

    with pytest.raises(UserError, match=r"`properties\.a`"):
        strict_json_schema(schema)


def test_reference_that_contains_itself_is_refused() -> None:
    node = {"type": "object", "properties": {"again": {"$ref": "#/$defs/Node", "description": "the same"}}}
    schema = {"type": "object", "properties": {"node": {"$ref": "#/$defs/Node"}}, "$defs": {"Node": node}}

    with pytest.raises(UserError, match="contains itself"):
        strict_json_schema(schema)


def test_merged_schemas_must_not_disagree() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/Short", "maxLength": 9}},
        "$defs": {"Short": {"type": "string", "maxLength": 3}},
    }

    with pytest.raises(UserError, match="disagree on maxLength"):
        strict_json_schema(schema)


def test_part_that_is_no_schema_is_refused() -> None:
    with pytest.raises(UserError, match=r"`properties\.a` must be an object, not True"):
        strict_json_schema({"type": "object", "properties": {"a": True}})


# ---- any simple model ----------------------------------------------------------------------------

leaf_types = st.sampled_from(
    [int, str, bool, float, Color, Literal["x", "y"], datetime.date, Address, Point, Tree, Any]
)
field_types = st.recursive(
    leaf_types,
    lambda inner: st.one_of(inner.map(lambda t: list[t]), inner.map(lambda t: t | None), inner.map(lambda t: set[t])),
    max_leaves=3,
)
field_infos = st.builds(
    Field,
    default=st.sampled_from([..., None]),
    description=st.none() | st.text(min_size=1, max_size=5),
    title=st.none() | st.just("T"),
)
field_names = st.text("abcdefgh", min_size=1, max_size=4).map(lambda name: f"f_{name}")
model_fields = st.dictionaries(field_names, st.tuples(field_types, field_infos), max_size=5)
# Busy machines are slow; that is no fault of the schemas.
unhurried = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


@unhurried
@given(model_fields)
def test_any_models_schema_is_made_strict_once_and_for_all(fields: dict[str, Any]) -> None:
    schema = create_model("Random", **fields).model_json_schema()

    strict = strict_json_schema(schema)

    assert strict_json_schema(strict) == strict
    assert strict["required"] == list(strict["properties"])


@unhurried
@given(model_fields)
def test_any_models_strict_schema_equals_the_agents_sdks(fields: dict[str, Any]) -> None:
    sdk = pytest.importorskip("agents.strict_schema")
    schema = create_model("Random", **fields).model_json_schema()

    strict = strict_json_schema(schema)

    assert strict == sdk.ensure_strict_json_schema(copy.deepcopy(schema))
