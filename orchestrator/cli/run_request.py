"""`RunRequest`: what `submit` and `run` are told on the command line, one field a parameter."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any

import typer

from orchestrator.cli.exits import CommandError
from orchestrator.cli.submit_options import (
    AnswerAtLimitOption,
    BudgetOption,
    DeadlineOption,
    TurnsOption,
    read_budget,
)


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """Which run to start. The fields are typer's parameters: see `asks_for_a_run`."""

    agent: Annotated[str, typer.Argument(metavar="AGENT", help="The agent's or flow's name.")]
    input: Annotated[list[str], typer.Argument(metavar="INPUT…", help="What to say to it; `-` reads standard input.")]
    run_context: Annotated[
        str | None, typer.Option("--context", metavar="JSON", help="The run's context, a JSON object.")
    ] = None
    run_id: Annotated[
        str | None, typer.Option("--run-id", help="An id of your own: submitting it twice starts one run.")
    ] = None
    max_turns: TurnsOption = None
    queue: Annotated[str | None, typer.Option("--queue", help="Another queue for the first step.")] = None
    priority: Annotated[int | None, typer.Option("--priority", help="The messages' priority.")] = None
    session: Annotated[
        str | None, typer.Option("--session", metavar="SESSION", help="Go on with a conversation, or begin one.")
    ] = None
    tenant: Annotated[str | None, typer.Option("--tenant", help="On whose behalf, where tenants share limits.")] = None
    budget: BudgetOption = None
    answer_at_limit: AnswerAtLimitOption = False
    deadline: DeadlineOption = None
    tags: Annotated[list[str] | None, typer.Option("--tag", help="A word to find the run by. Repeatable.")] = None

    def read_input(self) -> str:
        """What to say to the agent. Raises `CommandError` for nothing."""
        text = sys.stdin.read() if self.input == ["-"] else " ".join(self.input)
        if not text.strip():
            raise CommandError("The input is empty. Give the agent something to work on.")
        return text

    def read_options(self) -> dict[str, Any]:
        """The keywords of `Orchestrator.submit`, but for the queue. Raises `CommandError`."""
        options: dict[str, Any] = {
            "run_id": self.run_id,
            "priority": self.priority,
            "tenant": self.tenant,
            "context": _read_context(self.run_context),
            "budget": read_budget(self.budget, answer_at_limit=self.answer_at_limit),
            "deadline": self.deadline,
            "tags": self.tags,
            "session": self.session,
        }
        return options if self.max_turns is None else {**options, "max_turns": self.max_turns}


def asks_for_a_run(command: Callable[..., None]) -> Callable[..., None]:
    """The command with a parameter for each field of `RunRequest`, in place of its own parameter `request`."""
    own = inspect.signature(command, eval_str=True).parameters
    asked = inspect.signature(RunRequest, eval_str=True).parameters
    first, *others = (parameter for name, parameter in own.items() if name != "request")

    @wraps(command)
    def asking(**given: Any) -> None:
        request = RunRequest(**{name: given.pop(name) for name in asked})
        command(request=request, **given)

    parameters = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in (first, *asked.values(), *others)
    ]
    asking.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return asking


def _read_context(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        context = json.loads(text)
    except ValueError as error:
        raise CommandError(f"--context is not JSON: {error}.") from error
    if not isinstance(context, dict):
        raise CommandError('--context must be a JSON object, such as {"customer": 7}.')
    return context
