"""Checks of what combinators are given, so that what cannot work is refused when the flow is made."""

from __future__ import annotations

import inspect
from typing import Any

from pydantic import PydanticSchemaGenerationError, TypeAdapter

from orchestrator.combinators.values import find_parameter_type, name_of
from orchestrator.errors import UserError


def check_decisions(**decisions: Any) -> None:
    """Raise `UserError` for one that is given, and cannot be asked about a value."""
    for name, decision in decisions.items():
        if decision is not None:
            check_function(decision, f"{name}=")


def check_function(function: Any, what: str) -> None:
    """Raise `UserError` for what cannot be called with one value that has come as JSON."""
    if not callable(function):
        raise UserError(f"{what} takes a function of one value, not {repr(function)[:80]}.")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some of Python's own do not say what they take
        return
    try:
        signature.bind(...)
    except TypeError:
        raise UserError(
            f"{what} takes a function of one value, and `{name_of(function)}{signature}` cannot be called with one. "
            "Let it take one, which may have several fields; functools.partial gives it others."
        ) from None
    check_type(find_parameter_type(function), f"{what} takes a function of a value", function)


def check_type(wanted: Any, what: str, function: Any) -> None:
    """Raise `UserError` for a type of the function's that no JSON can become."""
    try:
        TypeAdapter(wanted)
    except PydanticSchemaGenerationError:
        raise UserError(
            f"{what} that has a JSON form, and `{name_of(function)}` says {getattr(wanted, '__name__', wanted)}. "
            "Make that a pydantic model or a dataclass, or leave the annotation out."
        ) from None


def check_count(what: str, value: Any) -> None:
    """Raise `UserError` for what is no whole number from 1 up."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UserError(f"{what} is a whole number from 1 up, not {value!r}.")


def check_text(what: str, value: Any) -> None:
    """Raise `UserError` for what is no text."""
    if not isinstance(value, str):
        raise UserError(f"{what} is text, not {value!r}.")
