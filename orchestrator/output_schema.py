"""`AgentOutputSchema`: the type of an agent's final output, as a JSON schema and back."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError, create_model
from pydantic.errors import PydanticUserError
from pydantic_core import to_json

from orchestrator.errors import ModelBehaviorError, UserError
from orchestrator.strict_schema import strict_json_schema as make_strict
from orchestrator.validation_text import describe_problems

SHOWN_CHARACTERS = 200  # how much of an invalid output an error repeats


class _Wrapper(BaseModel):
    response: Any


class AgentOutputSchema:
    """An agent's output type. Pass one as `output_type` to give up strictness: `strict_json_schema=False`.

    Models answer with a JSON object, so every type but a pydantic model, a `TypedDict` or a `dict` is
    wrapped as `{"response": …}` on its way to the model and unwrapped on its way back.
    """

    def __init__(self, output_type: Any, strict_json_schema: bool = True) -> None:
        self.output_type = output_type
        self._is_strict = strict_json_schema
        try:
            self._value: TypeAdapter[Any] = TypeAdapter(str if output_type is None else output_type)
            self._wrapper = None if self.is_plain_text() or _is_object_type(output_type) else _wrap(output_type)
            self._schema = {} if self.is_plain_text() else self._make_schema()
        except PydanticUserError as error:
            raise UserError(f"The output type {self.name()} has no JSON schema: {error}") from error
        if self._is_strict and not self.is_plain_text():
            self._schema = self._make_strict()

    def is_plain_text(self) -> bool:
        """Whether any text will do."""
        return self.output_type is None or self.output_type is str

    def is_strict_json_schema(self) -> bool:
        """Whether the model is held to the schema, and values are not converted (`"3"` is no `int`)."""
        return self._is_strict

    def name(self) -> str:
        """The type as Python writes it, such as `list[Order]`."""
        return _type_name(self.output_type)

    def json_schema(self) -> dict[str, Any]:
        """What the final message must follow. Raises `UserError` for plain text."""
        if self.is_plain_text():
            raise UserError("Plain text has no JSON schema.")
        return self._schema

    def validate_json(self, text: str) -> Any:
        """The typed value of a final message. Raises `ModelBehaviorError` naming the faulty fields."""
        if self.is_plain_text():
            return text
        try:
            if self._wrapper is None:
                return self._value.validate_json(text, strict=self._is_strict)
            return self._wrapper.model_validate_json(text, strict=self._is_strict).response
        except ValidationError as error:
            beginning = text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
            raise ModelBehaviorError(
                f"The output is no valid {self.name()}: {describe_problems(error)}. It begins: {beginning!r}"
            ) from error

    def dump(self, value: Any) -> Any:
        """The JSON form of an output, to be stored; never wrapped. `load` reads it back.

        A value of another type is written as it is: a tool's output that ends the run is not validated.
        """
        # By field name, because a type may have one alias for reading and another for writing.
        return self._value.dump_python(
            value, mode="json", by_alias=False, round_trip=True, warnings=False, fallback=str
        )

    def dump_text(self, value: Any) -> str:
        """An output as the model would have written it."""
        if self._wrapper is not None:
            message = self._wrapper.model_construct(response=value)
            return message.model_dump_json(by_alias=True, warnings=False, fallback=str)
        return self._value.dump_json(value, by_alias=True, warnings=False, fallback=str).decode()

    def load(self, value: Any) -> Any:
        """The typed value of stored JSON, which may call fields by name or by alias.

        Raises `ModelBehaviorError` where it does not fit the type.
        """
        try:
            # Read as JSON: only so do strict fields take dates, enums and numbers as keys.
            return self._value.validate_json(to_json(value), by_alias=True, by_name=True)
        except ValidationError as error:
            raise ModelBehaviorError(
                f"The stored output is no valid {self.name()}: {describe_problems(error)}"
            ) from error

    def _make_schema(self) -> dict[str, Any]:
        return self._value.json_schema() if self._wrapper is None else self._wrapper.model_json_schema()

    def _make_strict(self) -> dict[str, Any]:
        try:
            return make_strict(self._schema)
        except UserError as error:
            raise UserError(f"The output type {self.name()} has no strict JSON schema. {error.message}") from error


def output_schema_of(output_type: Any) -> AgentOutputSchema | None:
    """The schema of what `Agent.output_type` may hold: a type, a schema or nothing. `None` means plain text."""
    if isinstance(output_type, AgentOutputSchema):
        return None if output_type.is_plain_text() else output_type
    if output_type is None or output_type is str:
        return None
    try:
        hash(output_type)
    except TypeError:  # such as Annotated[int, Field(ge=1)]
        return AgentOutputSchema(output_type)
    return _cached_schema(output_type)


@lru_cache(maxsize=256)  # asked several times a turn; building one takes a millisecond
def _cached_schema(output_type: Any) -> AgentOutputSchema:
    return AgentOutputSchema(output_type)


def _is_object_type(output_type: Any) -> bool:
    """Whether the type's JSON is an object already. A `TypedDict` is a subclass of `dict`."""
    origin = get_origin(output_type) or output_type
    return isinstance(origin, type) and issubclass(origin, BaseModel | dict)


def _wrap(output_type: Any) -> type[_Wrapper]:
    # The name is the schema's title: models are shown what the Agents SDK shows them.
    return create_model("OutputType", __base__=_Wrapper, response=(output_type, ...))


def _type_name(output_type: Any) -> str:
    if origin := get_origin(output_type):
        return f"{origin.__name__}[{', '.join(map(_type_name, get_args(output_type)))}]"
    return output_type.__name__ if isinstance(output_type, type) else _special_name(output_type)


def _special_name(value: Any) -> str:
    """`Any` for `typing.Any`; a literal's or annotation's value as it is written."""
    name = getattr(value, "_name", None)
    return name if isinstance(name, str) else repr(value)
