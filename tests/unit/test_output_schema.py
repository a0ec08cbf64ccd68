"""Output types: schemas equal to the Agents SDK's, strict validation, and storage that keeps the type."""

from __future__ import annotations

import datetime
import enum
import json
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal, Optional, Union

import pytest
from pydantic import BaseModel, ConfigDict, Field, computed_field
from typing_extensions import TypedDict

from orchestrator.errors import ModelBehaviorError, UserError
from orchestrator.output_schema import AgentOutputSchema, output_schema_of


class Weather(BaseModel):
    city: str
    degrees: int
    note: str | None = None


@dataclass
class Point:
    x: int


class Line(TypedDict):
    text: str


class Mood(enum.Enum):
    GOOD = "good"


class OpenModel(BaseModel):
    model_config = ConfigDict(extra="allow")


class Aliased(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    number: int = Field(validation_alias="readAs", serialization_alias="writtenAs")
    at: datetime.datetime
    mood: Mood

    @computed_field
    def double(self) -> int:
        return self.number * 2


class NoSchema:
    pass


TYPES: list[Any] = [
    Weather,
    Point,
    Line,
    Mood,
    int,
    bool,
    Any,
    list,
    list[Weather],
    tuple[int, str],
    Optional[Weather],  # noqa: UP045
    Union[int, str],  # noqa: UP007
    int | str,
    Weather | Point,
    Literal["a", "b"],
    Annotated[Weather, "note"],
    list[Annotated[int, Field(ge=1)]],
    BaseModel,
    datetime.datetime,
]
OPEN_TYPES: list[Any] = [dict, dict[str, int], OpenModel]


@pytest.mark.parametrize("output_type", TYPES, ids=str)
def test_schema_and_name_equal_the_agents_sdks(output_type: Any) -> None:
    theirs = pytest.importorskip("agents").AgentOutputSchema(output_type)

    ours = AgentOutputSchema(output_type)

    assert ours.json_schema() == theirs.json_schema()
    assert ours.name() == theirs.name()


@pytest.mark.parametrize("output_type", [*TYPES, *OPEN_TYPES], ids=str)
def test_schema_that_is_not_strict_equals_the_agents_sdks(output_type: Any) -> None:
    theirs = pytest.importorskip("agents").AgentOutputSchema(output_type, strict_json_schema=False)

    ours = AgentOutputSchema(output_type, strict_json_schema=False)

    assert ours.json_schema() == theirs.json_schema()
    assert ours.name() == theirs.name()
    assert not ours.is_strict_json_schema()


@pytest.mark.parametrize("output_type", OPEN_TYPES, ids=str)
def test_type_with_free_keys_must_give_up_strictness(output_type: Any) -> None:
    with pytest.raises(UserError, match="strict_json_schema=False"):
        AgentOutputSchema(output_type)


def test_type_without_schema_is_refused_by_name() -> None:
    with pytest.raises(UserError, match="NoSchema has no JSON schema"):
        AgentOutputSchema(NoSchema)


@pytest.mark.parametrize("output_type", [None, str])
def test_plain_text_has_no_schema_and_is_taken_as_it_is(output_type: Any) -> None:
    schema = AgentOutputSchema(output_type)

    assert schema.is_plain_text()
    assert schema.validate_json("{not json") == "{not json"
    with pytest.raises(UserError):
        schema.json_schema()


@pytest.mark.parametrize("output_type", [None, str, AgentOutputSchema(str)])
def test_plain_text_needs_no_output_schema(output_type: Any) -> None:
    assert output_schema_of(output_type) is None


def test_output_schema_of_a_type_is_made_once() -> None:
    assert output_schema_of(list[int]) is output_schema_of(list[int])


def test_output_schema_of_a_type_that_cannot_be_hashed_is_made() -> None:
    schema = output_schema_of(Annotated[int, Field(ge=1)])

    assert schema is not None
    assert schema.json_schema()["properties"]["response"]["minimum"] == 1


def test_output_schema_given_is_used_as_it_is() -> None:
    schema = AgentOutputSchema(dict, strict_json_schema=False)

    assert output_schema_of(schema) is schema


@pytest.mark.parametrize(
    ("output_type", "text", "value"),
    [
        (Weather, '{"city": "Rome", "degrees": 30, "note": null}', Weather(city="Rome", degrees=30)),
        (int, '{"response": 3}', 3),
        (list[Weather], '{"response": [{"city": "Rome", "degrees": 1}]}', [Weather(city="Rome", degrees=1)]),
        (Point, '{"response": {"x": 1}}', Point(1)),
        (Line, '{"text": "hi"}', {"text": "hi"}),
        (Mood, '{"response": "good"}', Mood.GOOD),
        (tuple[int, str], '{"response": [1, "a"]}', (1, "a")),
        (datetime.date, '{"response": "2030-01-02"}', datetime.date(2030, 1, 2)),
    ],
    ids=str,
)
def test_final_message_becomes_a_typed_value(output_type: Any, text: str, value: Any) -> None:
    assert AgentOutputSchema(output_type).validate_json(text) == value


@pytest.mark.parametrize(
    ("output_type", "text", "problem"),
    [
        (Weather, '{"city": "Rome", "degrees": "30"}', "`degrees`: Input should be a valid integer"),
        (Weather, '{"city": "Rome"}', "`degrees`: Field required"),
        (Weather, "It is hot", "Invalid JSON"),
        (list[Point], '{"response": [{"x": 1}, {"x": 1.5}]}', "`response.1.x`: Input should be a valid integer"),
        (int, "3", "Input should be an object"),
        (int, '{"answer": 3}', "`response`: Field required"),
    ],
)
def test_invalid_final_message_is_refused_by_field(output_type: Any, text: str, problem: str) -> None:
    with pytest.raises(ModelBehaviorError) as raised:
        AgentOutputSchema(output_type).validate_json(text)

    assert problem in raised.value.message
    assert repr(text) in raised.value.message


def test_error_shows_only_the_beginning_of_a_long_output() -> None:
    with pytest.raises(ModelBehaviorError) as raised:
        AgentOutputSchema(Weather).validate_json("x" * 100_000)

    assert len(raised.value.message) < 500


def test_values_are_converted_once_strictness_is_given_up() -> None:
    schema = AgentOutputSchema(Weather, strict_json_schema=False)

    assert schema.validate_json('{"city": "Rome", "degrees": "30"}') == Weather(city="Rome", degrees=30)


STORED: list[tuple[Any, Any]] = [
    (int, 3),
    (Weather, Weather(city="Rome", degrees=30)),
    (list[Weather], [Weather(city="Rome", degrees=30)]),
    (Weather | Point, Point(1)),
    (Weather | None, None),
    (Point, Point(1)),
    (Line, {"text": "hi"}),
    (tuple[int, str], (1, "a")),
    (set[int], {1, 2}),
    (Mood, Mood.GOOD),
    (bytes, b"raw"),
    (Decimal, Decimal("1.50")),
    (uuid.UUID, uuid.UUID(int=7)),
    (datetime.datetime, datetime.datetime(2030, 1, 2, tzinfo=datetime.UTC)),
    (Aliased, Aliased(readAs=4, at=datetime.datetime(2030, 1, 2), mood=Mood.GOOD)),
]


@pytest.mark.parametrize(("output_type", "value"), STORED, ids=str)
def test_stored_output_comes_back_as_it_was(output_type: Any, value: Any) -> None:
    schema = AgentOutputSchema(output_type)

    stored = json.loads(json.dumps(schema.dump(value)))

    assert schema.load(stored) == value


def test_stored_mapping_keeps_the_type_of_its_keys() -> None:
    schema = AgentOutputSchema(dict[int, str], strict_json_schema=False)

    stored = json.loads(json.dumps(schema.dump({1: "a"})))

    assert schema.load(stored) == {1: "a"}


def test_stored_output_may_use_aliases() -> None:
    loaded = AgentOutputSchema(Aliased).load({"readAs": 4, "at": "2030-01-02T00:00:00", "mood": "good"})

    assert loaded.number == 4


def test_output_of_another_type_is_stored_as_it_is() -> None:
    assert AgentOutputSchema(Weather).dump({"made by": "a tool"}) == {"made by": "a tool"}


def test_stored_output_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ModelBehaviorError, match="no valid Weather"):
        AgentOutputSchema(Weather).load({"made by": "a tool"})


@pytest.mark.parametrize(
    ("output_type", "value", "text"),
    [
        (list[int], [1, 2], '{"response":[1,2]}'),
        (Weather, Weather(city="Rome", degrees=1), '{"city":"Rome","degrees":1,"note":null}'),
    ],
    ids=str,
)
def test_output_is_written_as_the_model_would_have(output_type: Any, value: Any, text: str) -> None:
    schema = AgentOutputSchema(output_type)

    assert schema.dump_text(value) == text
    assert schema.validate_json(text) == value
