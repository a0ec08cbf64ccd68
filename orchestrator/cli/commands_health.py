"""`orchestrator health`: what a process manager asks about a worker."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.console import say, say_aside
from orchestrator.cli.exits import FAILED
from orchestrator.health import MAX_AGE_SECONDS, find_problem


def health(
    file: Annotated[
        Path, typer.Argument(envvar="ORCHESTRATOR_HEALTH_FILE", help="The file that the worker writes every second.")
    ],
    ready: Annotated[bool, typer.Option(help="Also ask whether it can reach the ledger.")] = False,
    max_age: Annotated[float, typer.Option(help="Seconds without a sign of life that are too long.")] = MAX_AGE_SECONDS,
) -> None:
    """Tell whether a worker is alive: exit code 0 or 1. Reads a file, so it costs nothing and needs no server."""
    problem = find_problem(file, max_age_seconds=max_age, needs_ledger=ready)
    if problem:
        say_aside(problem)
        raise typer.Exit(FAILED)
    say("ready" if ready else "alive")
