"""From a model's arguments to the call of a function."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator.context import RunContext
from orchestrator.errors import ModelBehaviorError
from orchestrator.function_schema import FunctionSchema, function_schema
from tests.support.sample_functions import (
    Address,
    Color,
    Point,
    alias,
    any_number,
    bounds,
    free_keywords,
    models,
    no_annotations,
    nothing,
    optionals,
    positional_only,
    values,
)


def _call(schema: FunctionSchema, arguments: str) -> tuple[list[Any], dict[str, Any]]:
    return schema.bind(schema.parse(arguments))


def with_context(context: RunContext[Any], a: int): ...


@pytest.mark.parametrize(
    ("function", "arguments", "args", "kwargs"),
    [
        (nothing, {}, [], {}),
        (positional_only, {"a": 1, "d": 4}, [1, 2, 3], {"d": 4, "e": 5}),
        (positional_only, {"a": 9, "b": 8, "c": 7, "d": 6, "e": 5}, [9, 8, 7], {"d": 6, "e": 5}),
        (any_number, {"numbers": [1, 2]}, [1, 2], {"scale": 1.0}),
        (any_number, {}, [], {"scale": 1.0}),
        (with_context, {"a": 1}, [1], {}),
        (alias, {"b": 7}, [7], {}),
        (values, {"color": "red"}, [Color.RED, "x", None, 1], {}),
        (optionals, {}, [None, None, None, None], {}),
    ],
)
def test_arguments_become_a_call(function: Any, arguments: Any, args: list[Any], kwargs: dict[str, Any]) -> None:
    assert _call(function_schema(function), json.dumps(arguments)) == (args, kwargs)


def test_arguments_arrive_with_their_types() -> None:
    schema = function_schema(models)
    arguments = {
        "address": {"street": "A"},
        "addresses": [{"street": "B", "number": 2}],
        "line": {"text": "hi"},
        "point": {"x": 1},
    }

    args, _ = _call(schema, json.dumps(arguments))

    addresses = [Address(street="B", number=2)]
    assert args == [Address(street="A"), addresses, {"text": "hi"}, Point(1), Address(street="Main")]


def test_free_keywords_come_in_an_object_of_their_own() -> None:
    schema = function_schema(free_keywords, strict_json_schema=False)

    assert _call(schema, '{"a": 1, "rest": [2, 3], "more": {"x": "y"}}') == ([1, 2, 3], {"x": "y"})
    with pytest.raises(ModelBehaviorError, match="`x`"):
        schema.parse('{"a": 1, "x": "y"}')


def test_no_arguments_at_all_are_an_empty_object() -> None:
    assert _call(function_schema(no_annotations, strict_json_schema=False), '{"a": 1}') == ([1, 3], {})
    assert _call(function_schema(nothing), "") == ([], {})


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("{bad", "Invalid JSON input for tool bounds: Invalid JSON"),
        ("[1]", "Invalid JSON input for tool bounds: expected a JSON object"),
        ("null", "Invalid JSON input for tool bounds: expected a JSON object"),
        ('{"d": ["x"]}', "`a`: Field required"),
        ('{"a": 0, "d": ["x"]}', "`a`: Input should be greater than or equal to 1"),
        ('{"a": 1, "b": "long", "d": []}', "`b`: String should have at most 3 characters; `d`: List"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_by_name(arguments: str, problem: str) -> None:
    with pytest.raises(ModelBehaviorError) as raised:
        function_schema(bounds).parse(arguments)

    assert problem in raised.value.message


def test_parameters_may_have_any_name(recwarn: pytest.WarningsRecorder) -> None:
    def function(_id: int, model_config: int, json: int, model_dump: int) -> None: ...

    schema = function_schema(function)

    assert schema.params_json_schema["required"] == ["_id", "model_config", "json", "model_dump"]
    assert _call(schema, '{"_id": 1, "model_config": 2, "json": 3, "model_dump": 4}') == ([1, 2, 3, 4], {})
    assert not recwarn.list
