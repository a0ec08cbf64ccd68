"""`approvals`, `approve`, `reject` and `answer`: what runs ask of people, and what people say."""

from __future__ import annotations

import getpass
import json
import time
from typing import Annotated

import typer

from orchestrator.cli.commands_runs import JsonOption, RunArgument
from orchestrator.cli.console import clip, console, format_arguments, format_seconds, plain_table, print_json, say
from orchestrator.cli.exits import CommandError
from orchestrator.cli.workspace import Workspace
from orchestrator.errors import InvalidAnswer
from orchestrator.loop import background
from orchestrator.question import QuestionKind
from orchestrator.questions import OpenQuestion, find_questions
from orchestrator.run import Run

CallArgument = Annotated[str | None, typer.Argument(metavar="[CALL]", help="The call's id. [default: the only one]")]
AlwaysOption = Annotated[bool, typer.Option("--always", help="Also for all further calls of the tool in that run.")]
LOOKED_THROUGH = 200

_WANTS: dict[QuestionKind, str] = {"approval": "approval", "interrupted": "run it again?", "answer": "an answer"}


def approvals(
    context: typer.Context,
    run_id: Annotated[str | None, typer.Argument(metavar="[RUN]", help="The run's id. [default: all]")] = None,
    as_json: JsonOption = False,
) -> None:
    """List what runs ask of people: calls to approve, and questions to answer."""
    client = context.obj.connect().client
    runs = [run_id] if run_id else [summary.run_id for summary in client.recent(LOOKED_THROUGH) if not summary.outcome]
    found = [question for run in runs for question in background.run(find_questions(client.ledger, run))]
    if as_json:
        for question in found:
            print_json(vars(question))
    elif not found:
        say("Nobody is asked anything.")
    else:
        _print_questions(found)


def approve(
    context: typer.Context, run_id: RunArgument, call: CallArgument = None, always: AlwaysOption = False
) -> None:
    """Let a call run."""
    run, question = _find(context.obj, run_id, call, "approve", ("approval", "interrupted"))
    run.approve(question, always=always, by=_who())
    say(f"Approved: {_describe(question)}")


def reject(
    context: typer.Context,
    run_id: RunArgument,
    call: CallArgument = None,
    message: Annotated[str | None, typer.Option("--message", help="What the model is told.")] = None,
    always: AlwaysOption = False,
) -> None:
    """Keep a call from running, or leave a question unanswered."""
    run, question = _find(context.obj, run_id, call, "reject", ("approval", "interrupted", "answer"))
    run.reject(question, message=message, always=always, by=_who())
    say(f"Rejected: {_describe(question)}")


def answer(
    context: typer.Context,
    run_id: RunArgument,
    words: Annotated[list[str], typer.Argument(metavar="[CALL] VALUE", help="JSON, or text.")],
) -> None:
    """Answer a question. Name the call if the run asks several."""
    if len(words) > 2:
        raise CommandError("answer takes RUN, at most one CALL, and one VALUE. Put the value in quotes.")
    call, value = (words[0], words[1]) if len(words) == 2 else (None, words[0])
    run, question = _find(context.obj, run_id, call, "answer", ("answer",))
    _answer(run, question, value)
    say(f"Answered: {_describe(question)}")


def _find(
    workspace: Workspace, run_id: str, call_id: str | None, verb: str, kinds: tuple[QuestionKind, ...]
) -> tuple[Run, OpenQuestion | str]:
    """The question that is meant; the id as it is where it is no open one: the ledger says what is wrong with it."""
    run = workspace.connect().run(run_id)
    if call_id is not None:
        return run, call_id
    found = [question for question in [*run.approvals(), *run.questions()] if question.kind in kinds]
    if len(found) == 1:
        return run, found[0]
    if not found:
        raise CommandError(f"Run {run_id} has nothing to {verb}. `orchestrator approvals {run_id}` lists what it asks.")
    names = ", ".join(f"{question.call_id} ({question.tool})" for question in found)
    raise CommandError(f"Run {run_id} asks {len(found)} things. Name the one to {verb}: {names}.")


def _print_questions(found: list[OpenQuestion]) -> None:
    table = plain_table("RUN", "CALL", "WANTS", "AGENT", "TOOL", "WAITS", "EXPIRES")
    for column in table.columns[:2]:
        column.overflow = "fold"  # an id that is cut is of no use
    now = time.time()
    for question in found:
        remaining = None if question.expires_at is None else max(0.0, question.expires_at - now)
        expires = "never" if remaining is None else f"in {format_seconds(remaining)}"
        call = f"{question.tool}({format_arguments(question.arguments, 60)})"
        waits = format_seconds(now - question.asked_at)
        table.add_row(
            question.run_id, question.call_id, _WANTS[question.kind], question.agent, clip(call, 80), waits, expires
        )
    console().print(table)


def _describe(question: OpenQuestion | str) -> str:
    return question if isinstance(question, str) else f"{question.tool}({format_arguments(question.arguments)})"


def _answer(run: Run, question: OpenQuestion | str, text: str) -> None:
    """With the JSON value, if the text is one and that fits; else with the text."""
    try:
        value = json.loads(text)
        run.answer(question, value, by=_who())
    except (ValueError, InvalidAnswer):
        run.answer(question, text, by=_who())


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""  # no such user in this container
