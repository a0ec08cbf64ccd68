"""Functions as models see them: equal to the Agents SDK's view, and back to a call."""

from __future__ import annotations

import datetime
import enum
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Optional, TypeVar

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from orchestrator.context import RunContext, RunContextWrapper, ToolContext
from orchestrator.docstrings import detect_style
from orchestrator.errors import ModelBehaviorError, UserError
from orchestrator.function_schema import FunctionSchema, function_schema

T = TypeVar("T")


class Color(enum.Enum):
    RED = "red"


class Address(BaseModel):
    street: str
    number: int = 1


class Line(TypedDict):
    text: str


@dataclass
class Point:
    x: int


class Customer(BaseModel):
    id: str


# ---- functions that both libraries describe ------------------------------------------------------


def nothing(): ...


def no_annotations(a, b=3): ...


def google(city: str, days: int = 1) -> str:
    """Look up the weather.

    Takes its time.

    Args:
        city: The city,
            with its country.
        days (int, optional): How many days. Defaults to 1.

    Returns:
        A sentence.

    Raises:
        ValueError: Never.
    """


def google_without_blank_line(city: str):
    """Look up the weather.
    Args:
        city: The city.
    """


def google_with_more_text(city: str):
    """Look up the weather.

    Note:
        Only today's.

    More text.

    Args:
        city: The city.
    """


def numpy(city: str, days: int):
    """Look up the weather.

    Parameters
    ----------
    city : str
        The city.
    days
        How many.

    Returns
    -------
    str
        A sentence.
    """


def sphinx(city: str, days: int):
    """Look up the weather.

    :param city: The city,
        with its country.
    :param int days: How many.
    :type city: str
    :return: A sentence.
    """


def indented_text(a: int):
    """
    Look up:
      - this
      - that

    Example::

        look_up()
    """


def mixed_styles(a: int, b: int):
    """Look up.

    :param a: In sphinx style.

    Args:
        b: In google style.

    Returns:
        A sentence.
    """


def docstring_beats_annotated(a: Annotated[int, "annotated"], b: Annotated[int, "annotated"]):
    """Look up.

    Args:
        a: documented
    """


def docstring_beats_field(a: Annotated[int, Field(description="field")], b: int = Field(2, description="field")):
    """Look up.

    Args:
        a: documented
        b: documented
    """


def annotated_beats_field(a: Annotated[int, Field(description="field"), "annotated"], b: Annotated[int, "x", "y"]): ...


def bounds(
    a: Annotated[int, Field(ge=1)],
    b: Annotated[str, Field(max_length=3), "text"] = "x",
    c: int = Field(4, ge=1, lt=9),
    d: list[str] = Field(..., min_length=1),  # noqa: B008
    e: Annotated[int, Field(ge=1)] = Field(3, le=5),
    f: Annotated[int, Field(default=4, title="Eff", examples=[4])] = 5,
    g: list[int] = Field(default_factory=list),  # noqa: B008
): ...


def alias(a: int = Field(alias="b", default=2)): ...


def positional_only(a: int, b: int = 2, /, c: int = 3, *, d: int, e: int = 5): ...


def any_number(*numbers: int, scale: float = 1.0):
    """Add up.

    Args:
        *numbers: What to add.
        scale: Multiplied by.
    """


def any_number_bounded(*numbers: Annotated[int, Field(ge=1)]): ...


def any_number_of_tuples(*pairs: tuple[int, ...]): ...


def optionals(
    a: Optional[int] = None,  # noqa: UP045
    b: int | None = None,
    c: str = None,  # type: ignore[assignment]  # noqa: RUF013
    d: Address | None = None,
): ...


def models(
    address: Annotated[Address, "where"],
    addresses: list[Address],
    line: Line,
    point: Point,
    start: Address = Address(street="Main"),  # noqa: B008
): ...


def containers(a: tuple[int, Address], b: set[int], c: bytes = b"x", d: list = [], e: Any = None): ...  # noqa: B006


def values(color: Color, kind: Literal["x", "y"] = "x", at: datetime.datetime | None = None, union: int | str = 1): ...


def forward(a: "int", b: "list[Address]"): ...  # noqa: UP037


def names(URLName: str, a_b_c: int, self: int): ...


def shadowing(json: str, schema: int, copy: bool = False): ...


FUNCTIONS: list[Callable[..., Any]] = [
    nothing,
    no_annotations,
    google,
    google_without_blank_line,
    google_with_more_text,
    numpy,
    sphinx,
    indented_text,
    mixed_styles,
    docstring_beats_annotated,
    docstring_beats_field,
    annotated_beats_field,
    bounds,
    alias,
    positional_only,
    any_number,
    any_number_bounded,
    any_number_of_tuples,
    optionals,
    models,
    containers,
    values,
    forward,
    names,
]


def free_keywords(a: int, *rest: int, **more: str):
    """Everything.

    Args:
        **more: Anything else.
    """


def free_objects(a: dict[str, int], b: dict, **more: Annotated[int, "numbers"]): ...


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


# ---- names that pydantic would not take ----------------------------------------------------------


def test_parameters_may_have_any_name(recwarn: pytest.WarningsRecorder) -> None:
    def function(_id: int, model_config: int, json: int, model_dump: int) -> None: ...

    schema = function_schema(function)

    assert schema.params_json_schema["required"] == ["_id", "model_config", "json", "model_dump"]
    assert _call(schema, '{"_id": 1, "model_config": 2, "json": 3, "model_dump": 4}') == ([1, 2, 3, 4], {})
    assert not recwarn.list


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
        (Address(street="x"), "not from"),
    ],
)
def test_function_that_cannot_be_described_is_refused(function: Any, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        function_schema(function)


def test_parameter_with_free_keys_is_refused_by_its_place() -> None:
    def function(tags: dict[str, str]) -> None: ...

    with pytest.raises(UserError, match=r"tool `function` .* at `properties\.tags`.*strict_mode=False"):
        function_schema(function)


# ---- from the model's arguments to a call --------------------------------------------------------


def _call(schema: FunctionSchema, arguments: str) -> tuple[list[Any], dict[str, Any]]:
    return schema.bind(schema.parse(arguments))


@pytest.mark.parametrize(
    ("function", "arguments", "args", "kwargs"),
    [
        (nothing, {}, [], {}),
        (positional_only, {"a": 1, "d": 4}, [1, 2, 3], {"d": 4, "e": 5}),
        (positional_only, {"a": 9, "b": 8, "c": 7, "d": 6, "e": 5}, [9, 8, 7], {"d": 6, "e": 5}),
        (any_number, {"numbers": [1, 2]}, [1, 2], {"scale": 1.0}),
        (any_number, {}, [], {"scale": 1.0}),
        (typed_context, {"a": 1}, [1], {}),
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
