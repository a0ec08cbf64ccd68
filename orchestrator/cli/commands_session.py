"""`session`: shows a conversation over many runs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from orchestrator.cli.commands_runs import JsonOption
from orchestrator.cli.console import clip, format_arguments, print_json, say, text_of
from orchestrator.cli.exits import CommandError
from orchestrator.models.base import Item


def show_session(
    context: typer.Context,
    session_id: Annotated[str, typer.Argument(metavar="SESSION", help="The session's id.")],
    limit: Annotated[int, typer.Option("--limit", min=1, help="The latest items.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """Show a conversation: who has it, who waits, and what was said."""
    session = context.obj.connect().session(session_id)
    record = session.summary()
    if record is None:
        raise CommandError(f"There is no session {session_id!r}: never used, or past its retention.")
    items = session.items(limit)
    if as_json:
        print_json({**asdict(record), "agent": record.agent, "items": items})
        return
    say(f"{session_id}: {record.exchanges} exchanges, {len(record.runs)} runs, with {record.agent or 'nobody yet'}")
    if record.floor:
        say(f"at work: {record.floor}")
    for run_id in record.line:
        say(f"in line: {run_id}")
    for item in items:
        say(_line(item))


def _line(item: Item) -> str:
    kind = item.get("type", "message")
    if kind == "function_call":
        return f"  calls {item['name']}({format_arguments(item['arguments'])})"
    if kind == "function_call_output":
        return f"  returned {clip(item['output'])}"
    return f"{item.get('role', kind)}: {clip(text_of([item]), 400)}"
