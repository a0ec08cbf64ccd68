"""The command line, `orchestrator`: `app` with its commands, and `main` for the console script."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.commands_control import cancel, pause, resume, retry
from orchestrator.cli.commands_decide import answer, approvals, approve, reject
from orchestrator.cli.commands_demo import demo
from orchestrator.cli.commands_doctor import doctor
from orchestrator.cli.commands_graph import graph
from orchestrator.cli.commands_health import health
from orchestrator.cli.commands_limits import show_limits
from orchestrator.cli.commands_look import list_runs, show
from orchestrator.cli.commands_runs import run, submit, watch
from orchestrator.cli.commands_session import show_session
from orchestrator.cli.commands_stack import up, worker
from orchestrator.cli.exits import HELP, ErrorsAsLines
from orchestrator.cli.statefile import DEFAULT_FOLDER
from orchestrator.cli.workspace import Workspace

__all__ = ["app", "main"]

app = typer.Typer(
    cls=ErrorsAsLines,
    help="LLM agents as Celery tasks: start everything, submit runs, watch them.",
    epilog=HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if not wanted:
        return
    try:
        print(f"celery-orchestrator {version('celery-orchestrator')}")
    except PackageNotFoundError:
        print("celery-orchestrator (not installed, running from its sources)")
    raise typer.Exit()


@app.callback()
def prepare(
    context: typer.Context,
    app_name: Annotated[
        str | None,
        typer.Option(
            "-A",
            "--app",
            envvar="ORCHESTRATOR_APP",
            metavar="MODULE[:ATTR]",
            help="The Celery app. [default: workers.app]",
        ),
    ] = None,
    data_dir: Annotated[
        Path, typer.Option(envvar="ORCHESTRATOR_DATA_DIR", help="Where `up` keeps data, logs and its state.")
    ] = DEFAULT_FOLDER,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of all commands."""
    context.obj = Workspace(app_name, data_dir)


for command in (
    up,
    submit,
    run,
    watch,
    show,
    cancel,
    pause,
    resume,
    retry,
    approvals,
    approve,
    reject,
    answer,
    demo,
    doctor,
    graph,
    health,
):
    app.command(epilog=HELP)(command)
app.command("list", epilog=HELP)(list_runs)
app.command("session", epilog=HELP)(show_session)
app.command("limits", epilog=HELP)(show_limits)
app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})(worker)


def main() -> None:
    """Run the command line."""
    app(prog_name="orchestrator")
