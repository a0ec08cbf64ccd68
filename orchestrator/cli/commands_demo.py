"""`demo`: the app's own demonstration, from nothing to answers, on a stack of its own if none is up."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.commands_stack import StopSignals, choose_server, open_stack, start_stack
from orchestrator.cli.console import console, mask_url, say, say_aside
from orchestrator.cli.demo_report import DemoBoard, print_reports
from orchestrator.cli.exits import ANSWERED, FAILED, INTERRUPTED, CommandError, StackError
from orchestrator.cli.follow import follow
from orchestrator.cli.plan import LLM_CONCURRENCY
from orchestrator.cli.ports import free_port
from orchestrator.cli.stack import POLL_SECONDS, Stack
from orchestrator.cli.statefile import StateFolder
from orchestrator.cli.tree import RunTree
from orchestrator.cli.views import LineView, LiveView, View
from orchestrator.cli.workspace import Workspace
from orchestrator.demo import Demo
from orchestrator.errors import ResultTimeout
from orchestrator.loop import background
from orchestrator.models.resolve import describe_model
from orchestrator.run import Run


@dataclass(frozen=True)
class Stage:
    """What a demo plays on: somebody's stack, or its own."""

    flower_url: str | None
    own: Stack | None = None

    def look_after(self) -> None:
        """Keep its own processes alive."""
        if self.own is not None:
            self.own.poll()


def demo(
    context: typer.Context,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the stack running afterwards, until Ctrl-C.")] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", min=1, help="Give up after so many seconds (exit code 5).")
    ] = 600.0,
) -> None:
    """Run the app's demonstration: all its inputs at once, live, then answers and where to look.

    Uses the stack of `orchestrator up` if one runs in this folder; else starts one of its own, in a
    temporary folder, on free ports. Exits with 0 only if every run was answered.
    """
    workspace: Workspace = context.obj
    stopping = StopSignals()
    with _stage(workspace, stopping) as stage:
        if stopping.is_stopping():
            raise typer.Exit(INTERRUPTED)
        is_answered = _play(workspace, stage, stopping, timeout)
        if stage.own is not None and stage.flower_url and not keep:
            say("These pages end with this command. To look at them: orchestrator demo --keep", style="dim")
        if is_answered and (afterwards := _find_demo(workspace).afterwards):
            say(afterwards)
        if stage.own is not None and not is_answered:
            say_aside(stage.own.last_words())
        if stage.own is not None and keep:
            _keep(stage.own, stopping)
    raise typer.Exit(ANSWERED if is_answered else FAILED)


@contextmanager
def _stage(workspace: Workspace, stopping: StopSignals) -> Iterator[Stage]:
    if workspace.stack is not None:
        say(f"Using the stack that runs here: {mask_url(workspace.stack.redis_url)}")
        workspace.connect()
        yield Stage(workspace.stack.flower_url)
        return
    if workspace.given_url and _is_served(workspace):
        say(f"Using the workers at {mask_url(workspace.given_url)}")
        yield Stage(None)
        return
    folder = StateFolder(Path(tempfile.mkdtemp(prefix="orchestrator-demo-")))
    folder.create()
    try:
        with open_stack(workspace, folder, choose_server(workspace, folder, free_port()), stopping) as stack:
            _find_demo(workspace)
            start_stack(stack, workspace, workers=2, concurrency=LLM_CONCURRENCY, flower_port=free_port())
            yield Stage(stack.flower_url, stack)
    except StackError:
        raise  # its message names the logs: leave them
    except BaseException:
        shutil.rmtree(folder.path, ignore_errors=True)
        raise
    shutil.rmtree(folder.path, ignore_errors=True)


def _is_served(workspace: Workspace) -> bool:
    """Whether live workers at the user's own server have loaded the demo's agent."""
    task = _find_demo(workspace).agent.task_name
    records = background.run(workspace.connect().ledger.loaded())
    return any(record.task == task and record.is_live for record in records)


def _find_demo(workspace: Workspace) -> Demo:
    found = getattr(workspace.loaded.module, "DEMO", None)
    if isinstance(found, Demo):
        return found
    raise CommandError(
        f"Module `{workspace.loaded.module.__name__}` offers no demo. "
        "Give it `DEMO = Demo(title, agent, runs=[DemoRun(…)])` from `orchestrator.demo`."
    )


def _play(workspace: Workspace, stage: Stage, stopping: StopSignals, timeout_seconds: float) -> bool:
    found = _find_demo(workspace)
    orchestrator = workspace.loaded.orchestrator
    model = describe_model(orchestrator.settings)
    say()
    say(found.title, style="bold")
    if model.startswith("rehearsal"):
        say("NO REAL MODEL: every answer below is canned, played offline by the rehearsal model.", style="bold yellow")
        say("Set OPENAI_API_KEY or OPENAI_BASE_URL, and the same command asks a real one.", style="yellow")
    else:
        say(f"Model: {model}")
    say()
    began = time.monotonic()
    runs = [orchestrator.submit(found.agent, each.input, context=each.context) for each in found.runs]
    trees = {run.id: RunTree(run.id) for run in runs}
    titles = {run.id: each.title for run, each in zip(runs, found.runs, strict=True)}
    _watch_all(runs, trees, titles, stage, stopping, began + timeout_seconds)
    return print_reports(titles, trees, stage.flower_url, seconds=time.monotonic() - began)


def _watch_all(
    runs: Sequence[Run],
    trees: dict[str, RunTree],
    titles: dict[str, str],
    stage: Stage,
    stopping: StopSignals,
    deadline: float,
) -> None:
    with _choose_view(titles, trees) as view:
        for found in follow(runs):
            if found is None:
                view.tick()
            else:
                run, event = found
                trees[run.id].apply(event)
                view.event(trees[run.id], event)
            stage.look_after()
            if stopping.is_stopping():
                raise typer.Exit(INTERRUPTED)
            if time.monotonic() > deadline:
                raise _too_late(stage, [run.id for run in runs if trees[run.id].root.outcome is None])


def _choose_view(titles: dict[str, str], trees: dict[str, RunTree]) -> View:
    if console().is_terminal:
        return LiveView(DemoBoard(titles, trees).render)
    return LineView(lambda tree: f"[{titles[tree.root.run_id]}] ")


def _too_late(stage: Stage, waiting: list[str]) -> Exception:
    logs = f"\n{stage.own.last_words()}" if stage.own else ""
    return ResultTimeout(f"These runs have not ended in time: {', '.join(waiting)}.{logs}")


def _keep(stack: Stack, stopping: StopSignals) -> None:
    say()
    say(
        f"The stack stays: Flower at {stack.flower_url}, ledger at {mask_url(stack.redis_url)}. Ctrl-C stops it.",
        style="bold",
    )
    say(f"To use it from another terminal: export ORCHESTRATOR_REDIS_URL={mask_url(stack.redis_url)}")
    while not stopping.is_stopping():
        stack.poll()
        time.sleep(POLL_SECONDS)
