"""How a command ends: exit codes, and errors as one line each."""

from __future__ import annotations

from typing import Any, assert_never

import typer
from typer.core import TyperGroup

from orchestrator.cli.console import error_console, say_aside
from orchestrator.cli.nodes import RunState
from orchestrator.errors import (
    LedgerError,
    OrchestratorError,
    ResultTimeout,
    RunCancelled,
    RunNotFound,
    SubmitError,
    UserError,
    WrongRunState,
)

ANSWERED = 0
FAILED = 1
USAGE = 2
UNREACHABLE = 3
CANCELLED = 4
TIMEOUT = 5
INTERRUPTED = 130

HELP = (
    "Exit codes: 0 done or answered, 1 failed, 2 wrong usage (unknown agent, run, module, option), "
    "3 the ledger cannot be reached, 4 the run was cancelled, 5 timeout, 130 interrupted."
)


class CommandError(UserError):
    """The command cannot be done as it was given."""


class StackError(OrchestratorError):
    """A process of the stack did not start, or another stack is in the way."""


def exit_code_of(error: OrchestratorError) -> int:
    """The exit code that tells a script what went wrong."""
    match error:
        case LedgerError():
            return UNREACHABLE
        case RunCancelled():
            return CANCELLED
        case ResultTimeout():
            return TIMEOUT
        case UserError() | SubmitError() | RunNotFound() | WrongRunState():
            return USAGE
        case _:
            return FAILED


def exit_code_of_run(state: RunState) -> int:
    """The exit code that tells how a run ended."""
    match state:
        case "answered":
            return ANSWERED
        case "failed":
            return FAILED
        case "cancelled":
            return CANCELLED
        case "queued" | "running" | "parked":
            return TIMEOUT
        case _:
            assert_never(state)


class ErrorsAsLines(TyperGroup):
    """Commands whose own errors become one line on stderr and an exit code, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except OrchestratorError as error:
            error_console().print("error:", style="bold red", end=" ")
            say_aside(error.message)
            raise typer.Exit(exit_code_of(error)) from error
