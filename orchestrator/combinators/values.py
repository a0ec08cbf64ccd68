"""Values between steps: as text for a prompt, as the type that a function asks for, as JSON for the ledger."""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from orchestrator.errors import FlowError, OrchestratorError
from orchestrator.validation_text import describe_problems


def to_json(value: Any) -> Any:
    """The value as the ledger keeps it."""
    return to_jsonable_python(value, by_alias=False, fallback=str)


def as_text(value: Any) -> str:
    """The value as a prompt shows it: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(to_json(value), ensure_ascii=False)


def load_as(wanted: Any, value: Any, what: str) -> Any:
    """The value as a type. Raises `FlowError` saying what does not fit."""
    if wanted is Any or (isinstance(wanted, type) and isinstance(value, wanted)):
        return value
    if wanted is str:
        return as_text(value)
    adapter: TypeAdapter[Any] = TypeAdapter(wanted)
    try:
        return adapter.validate_json(value) if isinstance(value, str) else adapter.validate_python(to_json(value))
    except ValidationError as error:
        raise FlowError(f"{what} takes another value than it was given: {describe_problems(error)}.") from error


def load_if_it_fits(wanted: Any, value: Any) -> Any:
    """The value as a type; as it is where the type is not known or does not fit."""
    if wanted is None:
        return value
    try:
        return load_as(wanted, value, "")
    except FlowError:
        return value


def call_with(function: Callable[..., Any], value: Any, what: str) -> Any:
    """What a function of one value makes of it. The value comes as the type that the function's parameter asks for.

    Raises `FlowError` for a value that does not fit, and what the function raises.
    """
    return function(load_as(parameter_type(function), value, what))


def decide(function: Callable[..., Any], value: Any, what: str) -> Any:
    """What a combinator's function says of a value. Raises `FlowError`, also for what the function raises."""
    try:
        return call_with(function, value, what)
    except OrchestratorError:
        raise
    except Exception as error:
        raise FlowError(f"{what} has raised {type(error).__name__}: {error}") from error


def parameter_type(function: Callable[..., Any]) -> Any:
    """The type of a function's first parameter; `Any` where it says nothing."""
    try:
        return _cached_parameter_type(function)
    except TypeError:  # a callable object that has no hash
        return find_parameter_type(function)


def find_parameter_type(function: Callable[..., Any]) -> Any:
    """`parameter_type` as it is now: a class that is declared after the function is not known yet."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:  # such as `int`: a type of Python's own
        return Any
    return _hints(function).get(parameters[0].name, Any)


_cached_parameter_type = lru_cache(maxsize=1024)(find_parameter_type)
"""Asked for every value that a flow gives to a function, each time that it moves on."""


def return_type(function: Callable[..., Any]) -> Any:
    """The type that a function returns; `Any` where it says nothing."""
    return _hints(function).get("return", Any)


def name_of(function: Callable[..., Any]) -> str:
    """What people call a function."""
    return str(getattr(function, "__name__", type(function).__name__))


def single_field(value: Any) -> Any:
    """The value of an object with one field; anything else as it is."""
    if isinstance(value, BaseModel) and len(type(value).model_fields) == 1:
        return getattr(value, next(iter(type(value).model_fields)))
    if isinstance(value, dict) and len(value) == 1:
        return next(iter(value.values()))
    return value


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    target = function if inspect.isroutine(function) else type(function).__call__
    try:
        return typing.get_type_hints(target)
    except (NameError, TypeError):  # annotations that cannot be read here say nothing
        return {}
