"""Section A: what an agent's output type means."""

import datetime
import enum
import typing
from dataclasses import dataclass

from pydantic import BaseModel
from typing_extensions import TypedDict

from tests.conformance.case import case
from tests.support.model_server import message


class Report(BaseModel):
    title: str
    pages: int


class Colour(enum.Enum):
    RED = "r"


class Entry(TypedDict):
    word: str


@dataclass
class Point:
    x: int
    y: int


@case([[message('{"title": "T", "pages": 3}')]])
def structured_output_is_parsed(kit):
    return kit.agent(output_type=Report)


@case([[message('{"title": "T", "pages": "3"}')], [message("never asked")]])
def structured_output_is_not_converted(kit):
    return kit.agent(output_type=Report)


@case([[message('{"title": "T", "pages": "3"}')]])
def lenient_structured_output_is_converted(kit):
    return kit.agent(output_type=kit.AgentOutputSchema(Report, strict_json_schema=False))


@case([[message("no JSON")]])
def structured_output_that_is_no_json_is_an_error(kit):
    return kit.agent(output_type=Report)


@case([[message('{"response": ["a", "b"]}')]])
def a_list_is_wrapped(kit):
    return kit.agent(output_type=list[str])


@case([[message('{"response": 7}')]])
def a_number_is_wrapped(kit):
    return kit.agent(output_type=int)


@case([[message('["a"]')]])
def a_list_that_is_not_wrapped_is_an_error(kit):
    return kit.agent(output_type=list[str])


@case([[message('{"response": {"x": 1, "y": 2}}')]])
def a_dataclass_is_wrapped(kit):
    return kit.agent(output_type=Point)


@case([[message('{"word": "hello"}')]])
def a_typed_dict_is_not_wrapped(kit):
    return kit.agent(output_type=Entry)


@case([[message('{"response": "red"}')]])
def a_literal_is_wrapped(kit):
    return kit.agent(output_type=typing.Literal["red", "green"])


@case([[message("text")]])
def str_is_plain_text(kit):
    return kit.agent(output_type=str)


@case([[message('{"response": "2026-02-03"}')]])
def a_date_is_wrapped(kit):
    return kit.agent(output_type=datetime.date)


@case([[message('{"response": null}')]])
def an_answer_may_be_none(kit):
    return kit.agent(output_type=int | None)


@case([[message('{"response": "r"}')]])
def an_enum_is_wrapped(kit):
    return kit.agent(output_type=Colour)


@case([[message('{"response": [{"title": "T", "pages": 1}]}')]])
def a_list_of_models_is_wrapped(kit):
    return kit.agent(output_type=list[Report])


@case([[message('{"a": 1}')]])
def a_dict_is_not_wrapped(kit):
    return kit.agent(output_type=kit.AgentOutputSchema(dict[str, int], strict_json_schema=False))
