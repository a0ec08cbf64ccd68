"""A Python function as a model sees it: its description, a JSON schema of its parameters, and back to a call."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo

from orchestrator.context import RunContext
from orchestrator.docstrings import DocstringStyle, FunctionDocs, read_docstring
from orchestrator.errors import ModelBehaviorError, UserError
from orchestrator.strict_schema import strict_json_schema as make_strict
from orchestrator.validation_text import describe_problems

_OBJECT: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])
_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True)
class FunctionSchema:
    """What a model is told about a function, and how to call it with what the model answers."""

    name: str
    description: str
    params_model: type[BaseModel]
    """Validates the arguments. Its fields are numbered; their aliases are the parameters' names."""
    params_json_schema: Mapping[str, Any]
    parameters: Sequence[Parameter]
    """What the model fills in, in the order of the model's fields."""
    takes_context: bool
    """Whether the first argument is the run's context."""
    context_type: Any
    """The `T` of a first parameter `RunContext[T]`, else `None`."""

    def parse(self, arguments: str) -> BaseModel:
        """The validated arguments. Raises `ModelBehaviorError` for anything but a JSON object that fits."""
        try:
            return self.params_model.model_validate_json(arguments or "{}")
        except ValidationError as error:
            raise _invalid_arguments(self.name, error) from error

    def bind(self, parsed: BaseModel) -> tuple[list[Any], dict[str, Any]]:
        """The positional and the keyword arguments of the call, without the context."""
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        for field_name, parameter in zip(type(parsed).model_fields, self.parameters, strict=True):
            value = getattr(parsed, field_name)
            match parameter.kind:
                case Parameter.VAR_POSITIONAL:
                    args.extend(value)
                case Parameter.VAR_KEYWORD:
                    kwargs.update(value)
                case Parameter.KEYWORD_ONLY:
                    kwargs[parameter.name] = value
                case _:
                    args.append(value)
        return args, kwargs


def function_schema(
    function: Callable[..., Any],
    *,
    name_override: str | None = None,
    description_override: str | None = None,
    docstring_style: DocstringStyle | None = None,
    use_docstring_info: bool = True,
    strict_json_schema: bool = True,
) -> FunctionSchema:
    """Describe `function` from its signature and docstring.

    What the docstring says about a parameter beats `Annotated[T, "text"]`, and that beats `Field(description=…)`.
    Raises `UserError` for what has no (strict) JSON schema, and for a context that is not the first parameter.
    """
    if not inspect.isroutine(function):
        raise UserError(f"A tool is made from a function or method, not from {function!r}. Wrap it in a function.")
    name = name_override or function.__name__
    docs = read_docstring(function, docstring_style) if use_docstring_info else FunctionDocs()
    parameters = _read_parameters(function, name)
    contexts = [_context_of(parameter.annotation) for parameter in parameters]
    context = contexts[0] if contexts else None
    if any(contexts[1:]) or (context and parameters[0].kind not in _POSITIONAL):
        raise UserError(f"Tool `{name}` must take the context as its first positional parameter.")
    if context:
        parameters = parameters[1:]
    if strict_json_schema:
        _refuse_free_keywords(parameters, name)
    params_model, schema = _describe(parameters, docs, name)
    return FunctionSchema(
        name=name,
        description=description_override or docs.description or "",
        params_model=params_model,
        params_json_schema=_strict(schema, name) if strict_json_schema else schema,
        parameters=parameters,
        takes_context=context is not None,
        context_type=_context_type(context),
    )


def parse_arguments(tool_name: str, arguments: str) -> dict[str, Any]:
    """A call's arguments as they are. Raises `ModelBehaviorError` for anything but a JSON object."""
    try:
        return _OBJECT.validate_json(arguments or "{}")
    except ValidationError as error:
        raise _invalid_arguments(tool_name, error) from error


def _invalid_arguments(tool_name: str, error: ValidationError) -> ModelBehaviorError:
    first = error.errors(include_url=False)[0]
    is_no_object = first["type"] in ("model_type", "dict_type") and not first["loc"]
    problem = "expected a JSON object" if is_no_object else describe_problems(error)
    return ModelBehaviorError(f"Invalid JSON input for tool {tool_name}: {problem}")


def _read_parameters(function: Callable[..., Any], name: str) -> list[Parameter]:
    """The function's parameters with their annotations resolved; what has none may be anything."""
    try:
        hints = get_type_hints(function, include_extras=True)
        signature = inspect.signature(function)
    except (NameError, TypeError, ValueError) as error:
        raise UserError(f"The signature of tool `{name}` cannot be read: {error}") from error
    return [parameter.replace(annotation=hints.get(key, Any)) for key, parameter in signature.parameters.items()]


# ---- context -------------------------------------------------------------------------------------


def _context_of(annotation: Any) -> Any:
    """The annotation's context class, `RunContext[T]` with or without its `T`, or `None`."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _context_of(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return next(filter(None, map(_context_of, get_args(annotation))), None)
    is_context = isinstance(origin or annotation, type) and issubclass(origin or annotation, RunContext)
    return annotation if is_context else None


def _context_type(context: Any) -> Any:
    (context_type,) = get_args(context) or (None,)
    says_nothing = context_type in (Any, NoneType) or isinstance(context_type, TypeVar)
    return None if says_nothing else context_type


# ---- parameters ----------------------------------------------------------------------------------


def _describe(parameters: Sequence[Parameter], docs: FunctionDocs, name: str) -> tuple[type[BaseModel], dict[str, Any]]:
    # A parameter may be called `json` or `_id`, which fields of pydantic models may not: aliases may.
    fields = {
        f"parameter_{index}": _as_field(parameter, docs.parameters.get(parameter.name))
        for index, parameter in enumerate(parameters)
    }
    # Where **keywords have an object of their own, a key beside it would be lost silently.
    has_free_keywords = any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters)
    config = ConfigDict(extra="forbid") if has_free_keywords else ConfigDict()
    try:
        model: type[BaseModel] = create_model(f"{name}_args", __config__=config, **fields)
        return model, model.model_json_schema()
    except PydanticUserError as error:
        raise UserError(f"The parameters of tool `{name}` have no JSON schema: {error}") from error


def _as_field(parameter: Parameter, description: str | None) -> Any:
    """The parameter as `create_model` takes it: a type, or a type and a default."""
    annotation, default = parameter.annotation, parameter.default
    described = description or _text_of(annotation)
    if parameter.kind is Parameter.VAR_POSITIONAL:
        annotation, default = list[annotation], Field(default_factory=list)  # type: ignore[valid-type]
    elif parameter.kind is Parameter.VAR_KEYWORD:
        annotation, default = dict[str, annotation], Field(default_factory=dict)  # type: ignore[valid-type]
    # Later metadata win: an alias of the user's over the parameter's name, and the description over a Field's.
    metadata: list[Any] = [Field(alias=parameter.name)]
    if get_origin(annotation) is Annotated:
        annotation, *given = get_args(annotation)
        metadata += given
    if isinstance(default, FieldInfo):
        metadata.append(default)
    if described:
        metadata.append(Field(description=described))
    field = Annotated[(annotation, *metadata)]  # type: ignore[valid-type]
    return field if default is Parameter.empty or isinstance(default, FieldInfo) else (field, default)


def _text_of(annotation: Any) -> str | None:
    """The text of `Annotated[T, "text"]`."""
    if get_origin(annotation) is not Annotated:
        return None
    return next((given for given in get_args(annotation)[1:] if isinstance(given, str)), None)


def _refuse_free_keywords(parameters: Sequence[Parameter], name: str) -> None:
    for parameter in parameters:
        if parameter.kind is Parameter.VAR_KEYWORD:
            raise UserError(
                f"Tool `{name}` takes `**{parameter.name}`, whose keys no strict schema can list. "
                f"Name the parameters, or pass strict_mode=False to @function_tool."
            )


def _strict(schema: Mapping[str, Any], name: str) -> dict[str, Any]:
    try:
        return make_strict(schema)
    except UserError as error:
        raise UserError(f"The parameters of tool `{name}` have no strict JSON schema. {error.message}") from error
