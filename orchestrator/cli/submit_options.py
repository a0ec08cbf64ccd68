"""What a new run may do, as options: its turns, its budget, its deadline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from orchestrator.cli.exits import CommandError

TurnsOption = Annotated[int | None, typer.Option("--max-turns", min=0, help="Model calls allowed. [default: 10]")]
BudgetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--budget",
        metavar="LIMIT=NUMBER",
        help="What the run and those below it may spend: tokens, money, turns, tool_calls or seconds. Repeatable.",
    ),
]
AnswerAtLimitOption = Annotated[
    bool, typer.Option("--answer-at-limit", help="When an agent's budget is spent, let it answer once more.")
]
DeadlineOption = Annotated[
    float | None, typer.Option("--deadline", metavar="SECONDS", help="When the run must have ended, from now.")
]


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
