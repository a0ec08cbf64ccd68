"""`handoff()`: how one agent passes the conversation to another."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from orchestrator.context import RunContext
from orchestrator.errors import ModelBehaviorError, UserError
from orchestrator.models.base import Item, ToolSpec
from orchestrator.strict_schema import strict_json_schema

if TYPE_CHECKING:
    from orchestrator.agent import Agent

EMPTY_SCHEMA: Mapping[str, Any] = {"additionalProperties": False, "type": "object", "properties": {}, "required": []}


@dataclass(frozen=True)
class HandoffInputData:
    """The conversation at a handoff, in three parts, as Responses items. A filter returns a changed copy."""

    input_history: tuple[Item, ...]
    """What the run started with."""
    pre_handoff_items: tuple[Item, ...]
    """What was generated before this turn."""
    new_items: tuple[Item, ...]
    """This turn's items, with the handoff call and its output."""
    run_context: RunContext[Any]
    input_items: tuple[Item, ...] | None = None
    """Shown to the next agent in place of `new_items`, if set."""

    def clone(self, **changes: Any) -> HandoffInputData:
        """A copy with some parts changed."""
        return replace(self, **changes)


InputFilter = Callable[[HandoffInputData], HandoffInputData | Awaitable[HandoffInputData]]
IsEnabled = bool | Callable[[RunContext[Any], Any], bool | Awaitable[bool]]


@dataclass(frozen=True)
class Handoff:
    """A handoff as an agent offers it to its model. Made by `handoff()`."""

    target: Agent[Any] | str
    tool_name_override: str | None = None
    tool_description_override: str | None = None
    on_handoff: Callable[..., Any] | None = None
    input_type: Any = None
    input_filter: InputFilter | None = None
    is_enabled: IsEnabled = True
    input_schema: Mapping[str, Any] = field(default_factory=lambda: EMPTY_SCHEMA)

    @property
    def agent_name(self) -> str:
        """The next agent's name."""
        return self.target if isinstance(self.target, str) else self.target.name

    @property
    def tool_name(self) -> str:
        """The handoff's name as the model sees it."""
        return self.tool_name_override or to_function_name(f"transfer_to_{self.agent_name}")

    def to_spec(self, description: str | None = None) -> ToolSpec:
        """The handoff as the model sees it; `description` is the next agent's own, where it is known by name only."""
        if not isinstance(self.target, str):
            description = self.target.handoff_description
        default = f"Handoff to the {self.agent_name} agent to handle the request. {description or ''}"
        return ToolSpec(
            name=self.tool_name,
            description=self.tool_description_override or default,
            parameters=self.input_schema,
        )

    async def accept(self, context: RunContext[Any], arguments: str) -> None:
        """Check the model's arguments, and tell `on_handoff`.

        Raises `ModelBehaviorError` for arguments that do not fit `input_type`, and whatever `on_handoff` raises.
        """
        if self.on_handoff is None:
            return
        given = (context,) if self.input_type is None else (context, self._parse(arguments))
        answer = self.on_handoff(*given)
        if inspect.isawaitable(answer):
            await answer

    def _parse(self, arguments: str) -> Any:
        if not arguments:
            raise ModelBehaviorError(f"Handoff `{self.tool_name}` needs input, but the model gave none.")
        try:
            return TypeAdapter(self.input_type).validate_json(arguments, strict=True)
        except ValidationError as error:
            raise ModelBehaviorError(f"Invalid input for handoff `{self.tool_name}`: {error}") from error

    async def filter(self, data: HandoffInputData) -> HandoffInputData:
        """What the next agent will see."""
        if self.input_filter is None:
            return data
        filtered = self.input_filter(data)
        if inspect.isawaitable(filtered):
            filtered = await filtered
        if not isinstance(filtered, HandoffInputData):
            raise UserError(f"The filter of handoff `{self.tool_name}` must return HandoffInputData, not {filtered!r}.")
        return filtered


def handoff(
    agent: Agent[Any] | str,
    *,
    tool_name_override: str | None = None,
    tool_description_override: str | None = None,
    on_handoff: Callable[..., Any] | None = None,
    input_type: Any = None,
    input_filter: InputFilter | None = None,
    is_enabled: IsEnabled = True,
) -> Handoff:
    """A handoff to `agent` (an object or a registered name) with more to say than the agent alone.

    `on_handoff` is called with (context), or with (context, input) if there is an `input_type`; it may run
    again after a crash. `input_filter` decides what the next agent sees. `is_enabled` is asked every turn.
    """
    expected = 1 if input_type is None else 2
    if input_type is not None and on_handoff is None:
        raise UserError("handoff(input_type=...) needs on_handoff, which receives that input.")
    if on_handoff is not None and len(inspect.signature(on_handoff).parameters) != expected:
        wanted = "(context)" if expected == 1 else "(context, input)"
        raise UserError(f"on_handoff must take {wanted}.")
    schema = EMPTY_SCHEMA if input_type is None else strict_json_schema(TypeAdapter(input_type).json_schema())
    return Handoff(
        target=agent,
        tool_name_override=tool_name_override,
        tool_description_override=tool_description_override,
        on_handoff=on_handoff,
        input_type=input_type,
        input_filter=input_filter,
        is_enabled=is_enabled,
        input_schema=schema,
    )


def to_handoff(target: Agent[Any] | Handoff | str) -> Handoff:
    """The `Handoff` that an entry of `Agent.handoffs` stands for."""
    return target if isinstance(target, Handoff) else Handoff(target=target)


def transfer_message(agent_name: str) -> str:
    """The handoff call's output: the next agent's name."""
    return json.dumps({"assistant": agent_name})


@cache
def to_function_name(name: str) -> str:
    """A name that models accept for a function: lower case, letters, digits and underscores."""
    return re.sub(r"[^a-zA-Z0-9_]", "_", name).lower()
