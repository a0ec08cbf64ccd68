"""`needs_approval`: whether a person must approve a call before it runs."""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Awaitable, Callable
from typing import Any

from orchestrator.context import RunContext
from orchestrator.errors import UserError

NeedsApproval = bool | Callable[[RunContext[Any], dict[str, Any], str], bool | Awaitable[bool]]
"""True, or a function of (context, arguments, call id) that says so for each call."""


async def ask_needs_approval(needs: NeedsApproval, context: RunContext[Any], arguments: str, call_id: str) -> bool:
    """Whether this call needs approval. Arguments that are no JSON object need it, and the function is not asked."""
    if not callable(needs):
        return needs
    try:
        parsed = json.loads(arguments or "{}", parse_constant=_refuse_constant)
    except ValueError:
        return True
    if not isinstance(parsed, dict):
        return True
    answer = needs(context, parsed, call_id)
    return bool(await answer if inspect.isawaitable(answer) else answer)


def is_readable_question(arguments: str) -> bool:
    """Whether the arguments of a call of an `ask_person` tool hold a question that people can be shown."""
    try:
        parsed = json.loads(arguments)
    except ValueError:
        return False
    return isinstance(parsed, dict) and isinstance(parsed.get("question"), str)


def check_approval(tool: str, needs: NeedsApproval, expires_seconds: float | None) -> None:
    """Raise `UserError` for options that cannot work."""
    if callable(needs):
        _check_parameters(tool, needs)
    elif not isinstance(needs, bool):
        raise UserError(f"needs_approval of tool `{tool}` must be true, false or a function, not {needs!r}.")
    check_seconds(expires_seconds, f"approval_expires_seconds of tool `{tool}`")


def check_seconds(seconds: float | None, what: str) -> None:
    """Raise `UserError` unless it is nothing or a positive number."""
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if seconds is not None and not (is_number and 0 < seconds < math.inf):
        raise UserError(f"{what} must be a positive number of seconds, not {seconds!r}.")


def _check_parameters(tool: str, needs: Callable[..., Any]) -> None:
    try:
        inspect.signature(needs).bind(None, {}, "")
    except TypeError as error:
        raise UserError(
            f"needs_approval of tool `{tool}` is called with (context, arguments, call id): {error}."
        ) from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
