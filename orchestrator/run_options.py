"""`RunOptions` from what a submit was given: the object or a dict, and short keywords that go before it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict, Unpack

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from orchestrator.budget import Budget
from orchestrator.entries import RunOptions
from orchestrator.errors import InvalidInput
from orchestrator.model_settings import ModelSettings
from orchestrator.validation_text import describe_problems

Moment = float | datetime
"""Seconds from now, or a time."""


class OptionKeywords(TypedDict, total=False):
    """The keywords of `submit` that stand for fields of `RunOptions`. Each goes before `run_options`."""

    run_options: RunOptions | Mapping[str, Any] | None
    max_turns: int | None
    model: str | None
    model_settings: ModelSettings | Mapping[str, Any] | None
    budget: Budget | Mapping[str, Any] | None
    deadline: Moment | None
    """When the run and all below it must have ended."""
    expires: Moment | None
    """When a worker must have begun."""
    tenant: str | None
    priority: int | None
    tags: Sequence[str] | None
    metadata: Mapping[str, Any] | None


def make_options(**given: Unpack[OptionKeywords]) -> RunOptions:
    """The options of a run. Raises `InvalidInput`."""
    keywords = dict(given)
    base: Any = keywords.pop("run_options", None) or {}
    changes = {name: value for name, value in keywords.items() if value is not None or name == "max_turns"}
    for name in ("deadline", "expires"):
        if name in changes:
            changes[f"{name}_at"] = _moment(name, changes.pop(name))
    if isinstance(tags := changes.get("tags"), str):
        changes["tags"] = (tags,)
    try:
        options = base if isinstance(base, RunOptions) else RunOptions.model_validate(base)
        if changes:
            options = RunOptions.model_validate({**options.model_dump(exclude_unset=True), **changes})
    except ValidationError as error:
        raise InvalidInput(f"The run's options are not valid: {describe_problems(error)}") from error
    try:
        to_jsonable_python(options.metadata)
    except (PydanticSerializationError, ValueError) as error:
        raise InvalidInput(f"The run's metadata has no JSON form: {error}") from error
    return options


def _moment(name: str, value: Any) -> float:
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(f"`{name}` must be seconds from now or a datetime, not {value!r}.")
    return time.time() + value


def refuse_answer_at_limit(options: RunOptions, task: str) -> RunOptions:
    """The options, unless a flow is to answer once more when its budget is spent: it cannot. `InvalidInput`."""
    kind, _, name = task.partition(".")
    if kind == "flows" and options.budget is not None and options.budget.on_limit == "answer":
        raise InvalidInput(
            f"Flow `{name}` cannot answer at its budget's limit: its answer is what its steps come to, and no more "
            'of them may begin. Leave out on_limit="answer" (--answer-at-limit): it then ends with BudgetExceeded.'
        )
    return options


def refuse_passed_deadline(options: RunOptions) -> RunOptions:
    """The options, unless their deadline has passed: `InvalidInput`."""
    if options.deadline_at is not None and options.deadline_at <= time.time():
        raise InvalidInput("The run's deadline has passed already, so it could never be met. Give a later one.")
    return options
