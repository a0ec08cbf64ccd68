"""Between the context as JSON, which travels, and the object that user code sees."""

from __future__ import annotations

import dataclasses
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from orchestrator.entries import ContextPatch
from orchestrator.errors import ContextNotSerializable, UserError
from orchestrator.runnable import Runnable
from orchestrator.validation_text import describe_problems

JsonObject = dict[str, Any]


def dump_context(context: Any, *, owner: str) -> JsonObject | None:
    """The context as a JSON object. Raises `ContextNotSerializable` naming `owner` for anything else."""
    if context is None:
        return None
    try:
        dumped = to_jsonable_python(context)
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        raise ContextNotSerializable(
            f"The context given to {owner} cannot be written as JSON: {error}. Use a pydantic model, a dataclass or "
            f"a dict of plain values, and make connections and clients in the worker with ctx.resource(factory)."
        ) from error
    if not isinstance(dumped, dict):
        raise ContextNotSerializable(
            f"The context given to {owner} is a {type(context).__name__}; it must be an object or a dict."
        )
    return dumped


def check_context(context: Any, agent: Runnable) -> None:
    """Refuse a context of another type than the agent declares, before anything is stored."""
    declared = find_context_type(agent)
    if declared is None or context is None or not _is_structured(declared):
        return
    if isinstance(context, dict):
        _check_dict(context, declared, agent)
    elif not isinstance(context, declared):
        raise ContextNotSerializable(
            f"Agent `{agent.name}` works with a {declared.__name__} as context, not with a {type(context).__name__}."
        )


def _check_dict(context: JsonObject, declared: type[Any], agent: Runnable) -> None:
    try:
        TypeAdapter(declared).validate_python(context)
    except ValidationError as error:
        raise ContextNotSerializable(
            f"The context given to agent `{agent.name}` is no {declared.__name__}: {describe_problems(error)}."
        ) from error


def find_context_type(agent: Runnable) -> type[Any] | None:
    """The context's type, as the agent or the nearest agent that it can reach declares it."""
    waiting, seen = [agent], {id(agent)}
    while waiting:
        current = waiting.pop(0)
        if declared := current.declared_context_type():
            return declared
        for neighbour in current.neighbours():
            if id(neighbour) not in seen:
                seen.add(id(neighbour))
                waiting.append(neighbour)
    return None


class ContextBinding:
    """One invocation's context object, and what has changed in it since it was last written down."""

    def __init__(self, dumped: JsonObject | None, context_type: type[Any] | None, *, owner: str) -> None:
        self._type = context_type
        self._owner = owner
        self._written: JsonObject = dumped or {}
        self._is_none = dumped is None
        self.value = None if dumped is None else self._load(dumped)

    def take_patch(self) -> ContextPatch | None:
        """The top-level fields that changed since the last call, with their new values."""
        dumped = dump_context(self.value, owner=self._owner)
        if dumped is None:
            return None
        patch = {name: value for name, value in dumped.items() if self._written.get(name, ...) != value}
        self._written = dumped
        return patch or None

    def merge(self, patch: ContextPatch) -> None:
        """Take over what a child has changed. Only top-level fields that it changed are touched."""
        if self.value is None:
            return
        changed = self._load({**(dump_context(self.value, owner=self._owner) or {}), **patch})
        if isinstance(self.value, dict):
            self.value.update(patch)
        else:
            for name in patch:
                setattr(self.value, name, getattr(changed, name))

    def _load(self, dumped: JsonObject) -> Any:
        if self._type is None:
            return dict(dumped)
        try:
            return TypeAdapter(self._type).validate_python(dumped)
        except ValidationError as error:
            raise UserError(f"The context of {self._owner} is no valid {self._type.__name__}: {error}") from error


def _is_structured(declared: type[Any]) -> bool:
    return isinstance(declared, type) and (issubclass(declared, BaseModel) or dataclasses.is_dataclass(declared))
