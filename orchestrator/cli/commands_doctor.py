"""`doctor`: what is configured, reachable, loaded and stuck, or where one run is, and what to do about it."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.text import Text

from orchestrator.cli.checks import (
    AgentRow,
    Check,
    agent_rows,
    check_reach,
    check_risks,
    check_setup,
    check_workers,
    consumed_queues,
    describe_settings,
)
from orchestrator.cli.commands_runs import JsonOption
from orchestrator.cli.console import console, plain_table, print_json, print_table, say
from orchestrator.cli.exits import FAILED
from orchestrator.cli.explain import explain_run
from orchestrator.cli.inspect_runs import inspect_run, inspect_runs
from orchestrator.cli.stuck import Scene, find_stuck
from orchestrator.cli.workspace import Workspace
from orchestrator.errors import RunNotFound
from orchestrator.loop import background

_MARKS = {"ok": ("✓", "green"), "note": ("·", "yellow"), "problem": ("✗", "bold red")}


def doctor(
    context: typer.Context,
    run_id: Annotated[str | None, typer.Argument(metavar="[RUN]", help="Explain this run alone.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Look at everything that runs need, or at one run, and say what to do where something is missing or stuck.

    Exits with 0 only if all is in order.
    """
    if run_id is not None:
        _explain(context.obj, run_id, as_json)
    checks, rows = _examine(context.obj)
    has_app = checks[0].state != "problem"
    settings = describe_settings(context.obj.loaded.orchestrator.settings) if has_app else {}
    is_fine = all(check.state != "problem" for check in checks)
    if as_json:
        print_json(_as_json(is_fine, settings, checks, rows))
    else:
        _print(is_fine, settings, checks, rows)
    raise typer.Exit(0 if is_fine else FAILED)


def _examine(workspace: Workspace) -> tuple[list[Check], list[AgentRow]]:
    checks = list(check_setup(workspace))
    if checks[0].state == "problem":
        return checks, []
    reach = list(check_reach(workspace))
    checks += reach
    if any(check.state == "problem" for check in reach):
        return checks, []
    checks += check_risks(workspace.loaded)
    rows = agent_rows(workspace.loaded)
    consumed = consumed_queues(workspace.loaded, rows)
    checks += check_workers(workspace.loaded, consumed, rows)
    runs = background.run(inspect_runs(workspace.loaded.orchestrator.ledger))
    checks += find_stuck(runs, _scene(workspace, consumed, rows))
    return checks, rows


def _explain(workspace: Workspace, run_id: str, as_json: bool) -> None:
    found = background.run(inspect_run(workspace.connect().ledger, run_id))
    if found is None:
        raise RunNotFound(f"There is no run {run_id!r}: never submitted here, or past its retention.", run_id=run_id)
    rows = agent_rows(workspace.loaded)
    scene = _scene(workspace, consumed_queues(workspace.loaded, rows), rows)
    checks = list(explain_run(*found, scene))
    is_fine = all(check.state != "problem" for check in checks)
    if as_json:
        print_json({"ok": is_fine, "run_id": run_id, "checks": [asdict(check) for check in checks]})
    else:
        _print_checks(checks)
    raise typer.Exit(0 if is_fine else FAILED)


def _scene(workspace: Workspace, consumed: dict[str, list[str]], rows: list[AgentRow]) -> Scene:
    return Scene(
        now=time.time(),
        loaded={row.task: row.workers for row in rows},
        taken={queue for queues in consumed.values() for queue in queues},
        default_queue=workspace.loaded.app.conf.task_default_queue,
    )


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
    _print_checks(checks)
    if rows:
        say()
        table = plain_table("TASK", "QUEUE", "LOADED BY")
        for row in rows:
            table.add_row(Text(row.task), row.queue, Text(", ".join(row.workers) or "nobody"))
        print_table(table)
    say()
    say("All that runs need is there." if is_fine else "Something is missing or stuck: see the arrows.", style="bold")


def _print_checks(checks: list[Check]) -> None:
    for check in checks:
        mark, style = _MARKS[check.state]
        console().print(Text.assemble((f"{mark} ", style), (f"{check.name:<8} ", "bold"), check.text), soft_wrap=True)
        if check.remedy:
            say(f"           → {check.remedy}", style="yellow")
