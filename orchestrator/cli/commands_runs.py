"""`submit`, `run` and `watch`: start runs, and see them live."""

from __future__ import annotations

import json
import time
from typing import Annotated, Any

import typer

from orchestrator.cli.console import clean, console, print_json, say, say_aside
from orchestrator.cli.exits import INTERRUPTED, exit_code_of_run
from orchestrator.cli.follow import follow
from orchestrator.cli.nodes import RunNode
from orchestrator.cli.render import outcome_text, render_run
from orchestrator.cli.run_request import RunRequest, asks_for_a_run
from orchestrator.cli.tree import RunTree
from orchestrator.cli.views import JsonView, LineView, LiveView, View
from orchestrator.cli.workspace import Workspace
from orchestrator.errors import ResultTimeout
from orchestrator.run import Run

JsonOption = Annotated[bool, typer.Option("--json", help="JSON for scripts.")]
TimeoutOption = Annotated[
    float | None, typer.Option("--timeout", min=0, help="Stop watching after so many seconds (exit code 5).")
]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")]


@asks_for_a_run
def submit(context: typer.Context, request: RunRequest, as_json: JsonOption = False) -> None:
    """Start a run and print its id."""
    started = _submit(context.obj, request)
    if as_json:
        print_json({"run_id": started.id, "agent": request.agent})
    else:
        say(started.id)


@asks_for_a_run
def run(
    context: typer.Context, request: RunRequest, timeout: TimeoutOption = None, as_json: JsonOption = False
) -> None:
    """Start a run, watch it, and print its answer. Ctrl-C stops watching; the run goes on."""
    is_watched = not as_json and console().is_terminal
    started = _submit(context.obj, request, run_options={"stream": is_watched})
    node = watch_run(started, as_json=as_json, timeout_seconds=timeout)
    if not as_json:
        _print_end(node)
    raise typer.Exit(exit_code_of_run(node.state))


def watch(
    context: typer.Context, run_id: RunArgument, timeout: TimeoutOption = None, as_json: JsonOption = False
) -> None:
    """Watch a run, from its beginning to its end. `--json`: one event a line."""
    watched = context.obj.connect().run(run_id)
    node = watch_run(watched, as_json=as_json, timeout_seconds=timeout)
    raise typer.Exit(exit_code_of_run(node.state))


def watch_run(run: Run, *, as_json: bool, timeout_seconds: float | None) -> RunNode:
    """Show the run until it has ended. Raises `ResultTimeout`; exits when interrupted."""
    tree = RunTree(run.id)
    is_live = not as_json and console().is_terminal
    try:
        with _choose_view(tree, as_json=as_json, is_live=is_live) as view:
            _feed(view, run, tree, timeout_seconds, deltas=is_live)
    except KeyboardInterrupt:
        if is_live:
            console().print(render_run(tree.root, time.time()))
        say_aside(f"No longer watching; run {run.id} goes on. {_hint(run.id)}")
        raise typer.Exit(INTERRUPTED) from None
    if is_live:
        console().print(render_run(tree.root, time.time()))
    return tree.root


def _feed(view: View, run: Run, tree: RunTree, timeout_seconds: float | None, *, deltas: bool) -> None:
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    for found in follow([run], deltas=deltas):
        if found is None:
            view.tick()
        else:
            tree.apply(found[1])
            view.event(tree, found[1])
        if deadline is not None and time.monotonic() > deadline and tree.root.outcome is None:
            raise ResultTimeout(f"Run {run.id} has not ended within {timeout_seconds:g} s. It goes on. {_hint(run.id)}")


def _choose_view(tree: RunTree, *, as_json: bool, is_live: bool) -> View:
    if as_json:
        return JsonView()
    return LiveView(lambda now: render_run(tree.root, now)) if is_live else LineView()


def _submit(workspace: Workspace, request: RunRequest, **options: Any) -> Run:
    options = {**request.read_options(), **options}
    orchestrator = workspace.connect()
    record = workspace.find_agent(request.agent)
    queue = request.queue or (record.queue if record else None)
    return orchestrator.submit(request.agent, request.read_input(), queue=queue, **options)


def _print_end(node: RunNode) -> None:
    """The answer on standard output; how else the run ended on standard error."""
    if node.outcome is None:
        return
    if node.outcome.kind != "answer":
        say_aside(f"{node.state}: {outcome_text(node)}", style="red")
    elif console().is_terminal:
        say()
        print_answer(node.outcome.output)
    else:
        print_answer(node.outcome.output)


def print_answer(output: Any) -> None:
    """An answer as it is; a structured one as indented JSON."""
    if isinstance(output, str):
        say(clean(output))
    elif console().is_terminal:
        console().print_json(data=output)
    else:
        print(json.dumps(output, ensure_ascii=False, indent=2))


def _hint(run_id: str) -> str:
    return f"Again: `orchestrator watch {run_id}`. Stop it: `orchestrator cancel {run_id}`."
