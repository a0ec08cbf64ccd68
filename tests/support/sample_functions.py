"""Functions whose signatures and docstrings show everything that a tool may have."""

from __future__ import annotations

import datetime
import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Optional

from pydantic import BaseModel, Field
from typing_extensions import TypedDict


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
