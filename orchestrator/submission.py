"""From what a caller gives to a run that the ledger can start. All checks happen here, before anything is stored."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, to_jsonable_python

from orchestrator.agent import Agent
from orchestrator.children import describe_input, digest_of
from orchestrator.context_binding import check_context, dump_context
from orchestrator.entries import FlowScope, RunInput, RunOptions
from orchestrator.errors import InputTooLarge, InvalidInput
from orchestrator.ledger.base import NewRun
from orchestrator.ledger.sessions import IfBusy, Joining
from orchestrator.model_call import pick_model
from orchestrator.models.base import Item
from orchestrator.run_options import refuse_answer_at_limit
from orchestrator.runnable import Runnable
from orchestrator.settings import Settings

_RUN_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_SESSION_ID = re.compile(r"[A-Za-z0-9._:@-]{1,128}")
_ROLES = frozenset({"user", "assistant", "system", "developer"})
_ITEM_TYPES = """
    message reasoning item_reference compaction compaction_trigger additional_tools configuration_update
    function_call function_call_output custom_tool_call custom_tool_call_output tool_search_call tool_search_output
    file_search_call web_search_call image_generation_call code_interpreter_call program program_output
    computer_call computer_call_output local_shell_call local_shell_call_output shell_call shell_call_output
    apply_patch_call apply_patch_call_output mcp_list_tools mcp_approval_request mcp_approval_response mcp_call
"""
ITEM_TYPES = frozenset(_ITEM_TYPES.split())
"""What the Responses API takes as input. Other values with a `type`, an agent's structured output say, are data."""


def new_run(
    target: Runnable | str,
    given: Any,
    *,
    run_id: str,
    settings: Settings,
    context: Any = None,
    options: RunOptions | None = None,
    queue: str | None = None,
    priority: int | None = None,
    continuation: Mapping[str, Any] | None = None,
    task: str | None = None,
    place: str = "",
    joining: Joining | None = None,
) -> NewRun:
    """The run to start for an agent or a flow, or for the name of one that is loaded elsewhere, with its `task`.

    Raises `SubmitError`.
    """
    name, task, queue = _address(target, task, queue)
    _check_ids(run_id, joining, task)
    options = refuse_answer_at_limit(_choose_options(options or RunOptions(), target, priority, settings), task)
    dumped = _to_context(context, target, name)
    scope = scope_of(given, place) if task.startswith("flows.") else None
    session = joining.session if joining else None
    items = to_items(given)
    entry = RunInput(agent=name, items=items, context=dumped, options=options, scope=scope, session=session)
    _check_size(entry, settings)
    return NewRun(
        run_id=run_id,
        task=task,
        digest=_digest(task, entry),
        entry=entry,
        queue=queue,
        priority=options.priority,
        note=describe_input(items),
        continuation=continuation or {},
        joining=joining,
        tenant=options.tenant,
    )


def to_items(given: Any) -> list[Item]:
    """Conversation items from text, from items, or from any JSON value, as a user message.

    What a chain's previous task returned is often a dict, and a chord's body gets a list: they are shown
    to the model as JSON. Raises `InvalidInput` for what has no JSON form.
    """
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    if isinstance(given, BaseModel):
        return [{"role": "user", "content": given.model_dump_json()}]
    try:
        value = to_jsonable_python(given)
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        raise InvalidInput(f"An agent's input must be text, a list of items or a JSON value: {error}") from error
    if value is None:
        raise InvalidInput("An agent needs an input: text, a list of items or a JSON value.")
    if isinstance(value, list) and value and all(_is_item(item) for item in value):
        return value
    return [{"role": "user", "content": json.dumps(value, ensure_ascii=False)}]


def scope_of(given: Any, place: str = "") -> FlowScope | None:
    """A flow's input as JSON, which its steps may take apart; of text at the top, the items say it all."""
    if isinstance(given, str) and not place:
        return None
    value = to_jsonable_python(given, by_alias=False)
    return FlowScope(place=place, value=value, flow_input=value)


def check_run_id(run_id: str) -> None:
    """Raise `InvalidInput` unless the id can be a task's id and part of a Redis key."""
    if not isinstance(run_id, str) or not _RUN_ID.fullmatch(run_id):
        raise InvalidInput(f"A run id is 1 to 128 letters, digits, dots, dashes and underscores, not {run_id!r}.")


def check_session_id(session: str) -> None:
    """Raise `InvalidInput` unless this can be part of a Redis key."""
    if not isinstance(session, str) or not _SESSION_ID.fullmatch(session):
        raise InvalidInput(
            "A session's id is 1 to 128 letters, digits, dots, dashes, underscores, colons and at-signs, "
            f"not {session!r}."
        )


def _address(target: Runnable | str, task: str | None, queue: str | None) -> tuple[str, str, str | None]:
    """Whom the run is for: the name, the task, and the queue if it is known."""
    if isinstance(target, str):
        return target, task or f"agents.{target}", queue
    return target.name, task or target.task_name, queue or target.queue


def _check_ids(run_id: str, joining: Joining | None, task: str) -> None:
    check_run_id(run_id)
    if joining is not None:
        _check_joining(joining, task)


def _check_joining(joining: Joining, task: str) -> None:
    """Raise `InvalidInput` for what cannot go on with a session."""
    check_session_id(joining.session)
    if not task.startswith("agents."):
        raise InvalidInput(f"`{task}` cannot go on with a session: only agents have conversations.")
    if joining.if_busy not in get_args(IfBusy):
        raise InvalidInput(f'if_busy is "queue", "reject" or "interrupt", not {joining.if_busy!r}.')
    if joining.keep_last is not None and joining.keep_last < (0 if joining.compacts else 1):
        raise InvalidInput(f"keep_last counts exchanges, from 1, not {joining.keep_last!r}.")


def _choose_options(
    options: RunOptions, target: Runnable | str, priority: int | None, settings: Settings
) -> RunOptions:
    """The options with their priority: the caller's, the run's, or else the target's."""
    known = None if isinstance(target, str) else target.priority
    chosen = next((found for found in (priority, options.priority, known) if found is not None), None)
    options = options.model_copy(update={"priority": chosen})
    _check_prices(options, target, settings)
    return options


def _to_context(context: Any, target: Runnable | str, name: str) -> dict[str, Any] | None:
    dumped = dump_context(context, owner=f"agent `{name}`")
    if not isinstance(target, str):
        check_context(context, target)
    return dumped


def _digest(task: str, entry: RunInput) -> str:
    """How long a submit may take, and who reads along, do not make it another one."""
    inessential = {"expires_at": None, "deadline_at": None, "stream": False}
    essential = entry.model_copy(update={"options": entry.options.model_copy(update=inessential)})
    return digest_of(task, essential)


def _is_item(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    is_message = str(value.get("role")) in _ROLES and "content" in value
    return is_message or (str(value.get("type")) in ITEM_TYPES and len(value) > 1)


def _check_size(entry: RunInput, settings: Settings) -> None:
    for what, value in (("input", entry.items), ("context", entry.context)):
        size = len(json.dumps(value, ensure_ascii=False).encode())
        if size > settings.max_input_bytes:
            raise InputTooLarge(
                f"The {what} for agent `{entry.agent}` has {size:,} bytes; {settings.max_input_bytes:,} are allowed. "
                f"Give a reference that a tool can read in parts, or raise ORCHESTRATOR_MAX_INPUT_BYTES."
            )


def _check_prices(options: RunOptions, target: Runnable | str, settings: Settings) -> None:
    """A budget of money needs prices. Workers see to the models that are not known here."""
    if options.budget is None or options.budget.money is None or not isinstance(target, Agent):
        return
    model = pick_model(target, options, settings).name
    if settings.prices.find(model) is None:
        raise InvalidInput(
            f"The budget is of money, and model `{model}` of agent `{target.name}` has no price. "
            "Add it to ORCHESTRATOR_PRICES, here and on the workers, or give the budget in tokens."
        )
