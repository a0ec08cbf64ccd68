"""The options with which `submit` and `run` start a run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from orchestrator.cli.exits import CommandError

ContextOption = Annotated[
    str | None, typer.Option("--context", metavar="JSON", help="The run's context, a JSON object.")
]
RunIdOption = Annotated[
    str | None, typer.Option("--run-id", help="An id of your own: submitting it twice starts one run.")
]
TurnsOption = Annotated[int | None, typer.Option("--max-turns", min=0, help="Model calls allowed. [default: 10]")]
QueueOption = Annotated[str | None, typer.Option("--queue", help="Another queue for the first step.")]
SessionOption = Annotated[
    str | None, typer.Option("--session", metavar="SESSION", help="Go on with a conversation, or begin one.")
]
TenantOption = Annotated[str | None, typer.Option("--tenant", help="On whose behalf, where tenants share limits.")]
PriorityOption = Annotated[int | None, typer.Option("--priority", help="The messages' priority.")]
BudgetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--budget",
        metavar="LIMIT=NUMBER",
        help="What the run and those below it may spend: tokens, money, turns, tool_calls or seconds. Repeatable.",
    ),
]
AnswerAtLimitOption = Annotated[
    bool, typer.Option("--answer-at-limit", help="When the budget is spent, answer once more instead of failing.")
]
DeadlineOption = Annotated[
    float | None, typer.Option("--deadline", metavar="SECONDS", help="When the run must have ended, from now.")
]
TagOption = Annotated[list[str] | None, typer.Option("--tag", help="A word to find the run by. Repeatable.")]


def read_context(text: str | None) -> dict[str, Any] | None:
    """The context that `--context` gives."""
    if text is None:
        return None
    try:
        context = json.loads(text)
    except ValueError as error:
        raise CommandError(f"--context is not JSON: {error}.") from error
    if not isinstance(context, dict):
        raise CommandError('--context must be a JSON object, such as {"customer": 7}.')
    return context


def read_budget(limits: Sequence[str] | None, *, answer_at_limit: bool) -> dict[str, Any] | None:
    """The budget that `--budget` and `--answer-at-limit` give."""
    if not limits:
        if answer_at_limit:
            raise CommandError("--answer-at-limit needs a limit, such as --budget tokens=20000.")
        return None
    budget: dict[str, Any] = {"on_limit": "answer"} if answer_at_limit else {}
    for given in limits:
        name, _, number = given.partition("=")
        try:
            budget[name.strip().replace("-", "_")] = float(number)
        except ValueError:
            raise CommandError(f"--budget takes a limit and a number, such as tokens=20000, not {given!r}.") from None
    return budget
