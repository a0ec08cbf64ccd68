"""Functions as models see them: equal to the Agents SDK's view."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import pytest
from pydantic import BaseModel

from orchestrator.context import RunContext, RunContextWrapper, ToolContext
from orchestrator.docstrings import detect_style
from orchestrator.errors import UserError
from orchestrator.function_schema import FunctionSchema, function_schema
from tests.support.sample_functions import (
    FUNCTIONS,
    docstring_beats_annotated,
    free_keywords,
    free_objects,
    google,
    sphinx,
)

T = TypeVar("T")


class Customer(BaseModel):
    id: str


@pytest.mark.parametrize("function", FUNCTIONS)
def test_schema_and_description_equal_the_agents_sdks(function: Callable[..., Any]) -> None:
    theirs = pytest.importorskip("agents.function_schema").function_schema(function)

    ours = function_schema(function)

    assert ours.params_json_schema == theirs.params_json_schema
    assert (ours.name, ours.description) == (theirs.name, theirs.description or "")


@pytest.mark.parametrize("function", [*FUNCTIONS, free_keywords, free_objects])
def test_schema_that_is_not_strict_equals_the_agents_sdks(function: Callable[..., Any]) -> None:
    theirs = pytest.importorskip("agents.function_schema").function_schema(function, strict_json_schema=False)

    ours = function_schema(function, strict_json_schema=False)

    assert ours.params_json_schema == theirs.params_json_schema


@pytest.mark.parametrize(
    "options",
    [
        {"name_override": "look_up"},
        {"description_override": "Other words."},
        {"use_docstring_info": False},
        {"docstring_style": "google"},
        {"docstring_style": "sphinx"},
    ],
    ids=str,
)
@pytest.mark.parametrize("function", [google, sphinx, docstring_beats_annotated])
def test_options_have_the_agents_sdks_effect(function: Callable[..., Any], options: dict[str, Any]) -> None:
    theirs = pytest.importorskip("agents.function_schema").function_schema(function, **options)

    ours = function_schema(function, **options)

    assert ours.params_json_schema == theirs.params_json_schema
    assert (ours.name, ours.description) == (theirs.name, theirs.description or "")


# ---- context -------------------------------------------------------------------------------------


def bare_context(context: RunContext, a: int): ...  # type: ignore[type-arg]


def bare_wrapper(context: RunContextWrapper, a: int): ...  # type: ignore[type-arg]


def any_context(context: RunContext[Any], a: int): ...


def no_context_object(context: RunContext[None], a: int): ...


def generic_context(context: RunContext[T], a: int): ...


def typed_context(context: RunContext[Customer], a: int):
    """Do it.

    Args:
        context: Not for models.
        a: A number.
    """


def tool_context(context: ToolContext[Customer], a: int): ...


def annotated_context(context: Annotated[ToolContext[Customer], "x"], a: int): ...


def optional_context(context: RunContext[Customer] | None, a: int): ...


@pytest.mark.parametrize(
    ("function", "context_type"),
    [
        (bare_context, None),
        (bare_wrapper, None),
        (any_context, None),
        (no_context_object, None),
        (generic_context, None),
        (typed_context, Customer),
        (tool_context, Customer),
        (annotated_context, Customer),
        (optional_context, Customer),
    ],
)
def test_context_comes_first_and_is_not_shown_to_the_model(function: Callable[..., Any], context_type: Any) -> None:
    schema = function_schema(function)

    assert schema.takes_context
    assert schema.context_type is context_type
    assert list(schema.params_json_schema["properties"]) == ["a"]


def test_function_without_context_takes_none() -> None:
    schema = function_schema(google)

    assert not schema.takes_context
    assert schema.context_type is None


def late_context(a: int, context: RunContext[Any]): ...


def two_contexts(context: RunContext[Any], other: ToolContext[Any]): ...


def context_by_keyword(*, context: RunContext[Any]): ...


def any_number_of_contexts(*contexts: RunContext[Any]): ...


@pytest.mark.parametrize("function", [late_context, two_contexts, context_by_keyword, any_number_of_contexts])
def test_context_elsewhere_is_refused(function: Callable[..., Any]) -> None:
    with pytest.raises(UserError, match="first positional parameter"):
        function_schema(function)


# ---- what cannot be described --------------------------------------------------------------------


def unknown_annotation(a: Missing): ...  # type: ignore[name-defined]  # noqa: F821


def no_schema(a: FunctionSchema | Callable[[int], int]): ...


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (unknown_annotation, "signature of tool `unknown_annotation` cannot be read"),
        (no_schema, "parameters of tool `no_schema` have no JSON schema"),
        (free_keywords, r"takes `\*\*more`"),
        (Customer(id="x"), "not from"),
    ],
)
def test_function_that_cannot_be_described_is_refused(function: Any, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        function_schema(function)


def test_parameter_with_free_keys_is_refused_by_its_place() -> None:
    def function(tags: dict[str, str]) -> None: ...

    with pytest.raises(UserError, match=r"tool `function` .* at `properties\.tags`.*strict_mode=False"):
        function_schema(function)


# ---- docstrings ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "style"),
    [
        ("Just text.", "google"),
        ("Args:\n    a: x", "google"),
        ("Returns\n-------\nint", "numpy"),
        (":return: x", "sphinx"),
        (":param a: x\n\nArgs:\n    b: y", "sphinx"),
        (":param a: x\n\nArgs:\n    b: y\n\nReturns:\n    z", "google"),
        ("Parameters\n----------\na\n\nArgs:\n    b: y", "numpy"),
    ],
)
def test_docstring_style_is_the_one_with_most_marks(text: str, style: str) -> None:
    assert detect_style(text) == style
