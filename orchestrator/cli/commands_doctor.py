"""`doctor`: what is configured, what is reachable, which agents each worker has loaded, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import typer
from rich.text import Text

from orchestrator.cli.checks import (
    AgentRow,
    Check,
    agent_rows,
    check_reach,
    check_setup,
    check_workers,
    consumed_queues,
    describe_settings,
)
from orchestrator.cli.commands_runs import JsonOption
from orchestrator.cli.console import console, plain_table, print_json, print_table, say
from orchestrator.cli.exits import FAILED
from orchestrator.cli.session import Session

_MARKS = {"ok": ("✓", "green"), "note": ("·", "yellow"), "problem": ("✗", "bold red")}


def doctor(context: typer.Context, as_json: JsonOption = False) -> None:
    """Look at everything that runs need, and say what to do where something is missing.

    Exits with 0 only if all that is needed is there.
    """
    checks, rows = _examine(context.obj)
    has_app = checks[0].state != "problem"
    settings = describe_settings(context.obj.loaded.orchestrator.settings) if has_app else {}
    is_fine = all(check.state != "problem" for check in checks)
    if as_json:
        print_json(_as_json(is_fine, settings, checks, rows))
    else:
        _print(is_fine, settings, checks, rows)
    raise typer.Exit(0 if is_fine else FAILED)


def _examine(session: Session) -> tuple[list[Check], list[AgentRow]]:
    checks = list(check_setup(session))
    if checks[0].state == "problem":
        return checks, []
    reach = list(check_reach(session))
    checks += reach
    if any(check.state == "problem" for check in reach):
        return checks, []
    rows = agent_rows(session.loaded)
    checks += check_workers(session.loaded, consumed_queues(session.loaded, rows), rows)
    return checks, rows


def _as_json(is_fine: bool, settings: dict[str, str], checks: list[Check], rows: list[AgentRow]) -> dict[str, Any]:
    return {
        "ok": is_fine,
        "settings": settings,
        "checks": [asdict(check) for check in checks],
        "tasks": [asdict(row) for row in rows],
    }


def _print(is_fine: bool, settings: dict[str, str], checks: list[Check], rows: list[AgentRow]) -> None:
    if settings:
        say("Settings", style="bold")
        table = plain_table("", "")
        table.show_header = False
        for name, value in settings.items():
            table.add_row(f"  {name}", Text(value))
        print_table(table)
        say()
    say("Checks", style="bold")
    for check in checks:
        mark, style = _MARKS[check.state]
        console().print(Text.assemble((f"{mark} ", style), (f"{check.name:<8} ", "bold"), check.text), soft_wrap=True)
        if check.remedy:
            say(f"           → {check.remedy}", style="yellow")
    if rows:
        say()
        table = plain_table("TASK", "QUEUE", "LOADED BY")
        for row in rows:
            table.add_row(Text(row.task), row.queue, Text(", ".join(row.workers) or "nobody"))
        print_table(table)
    say()
    say("All that runs need is there." if is_fine else "Something is missing: see the arrows.", style="bold")
