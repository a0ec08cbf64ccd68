"""`up` and `worker`: the processes of a deployment, all on this machine or one at a time."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import time
from collections.abc import Iterable, Sequence, Sized
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic_core import to_jsonable_python

from orchestrator.cli.console import console, mask_url, say
from orchestrator.cli.exits import StackError
from orchestrator.cli.orphans import end_orphans
from orchestrator.cli.plan import (
    LLM_CONCURRENCY,
    POOL_ENVIRONMENT,
    agent_queues,
    celery_command,
    plan_flower,
    plan_workers,
    pool_arguments,
)
from orchestrator.cli.ports import choose_port
from orchestrator.cli.stack import POLL_SECONDS, Stack, ping_through
from orchestrator.cli.statefile import StateFolder
from orchestrator.cli.workspace import Workspace
from orchestrator.demo import Demo
from orchestrator.embedded import EmbeddedValkey
from orchestrator.models.resolve import describe_model
from orchestrator.runnable import Runnable

REDIS_PORT = 6379
FLOWER_PORT = 5555
_MARKS = {"green": "✓", "yellow": "!", "red": "✗"}


class StopSignals:
    """Remembers that somebody asked us to stop: Ctrl-C, `kill`, or a terminal that was closed."""

    def __init__(self) -> None:
        self.count = 0
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._remember)

    def _remember(self, number: int, frame: Any) -> None:
        self.count += 1

    def is_stopping(self) -> bool:
        """Whether somebody did."""
        return self.count > 0

    def is_urgent(self) -> bool:
        """Whether somebody did so twice: no more waiting."""
        return self.count > 1


def report(name: str, text: str, style: str = "") -> None:
    """A line of the stack on the screen."""
    console().print(f"{_MARKS.get(style, ' ')} {name:<8}", text, style=style or None, markup=False, soft_wrap=True)


def up(
    context: typer.Context,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes for agents.")] = 2,
    concurrency: Annotated[
        int, typer.Option(min=1, help="Invocations that one of them works on at once.")
    ] = LLM_CONCURRENCY,
    port: Annotated[int | None, typer.Option(help="Valkey's port. [default: 6379, or a free one]")] = None,
    flower_port: Annotated[int | None, typer.Option(help="Flower's port. [default: 5555, or a free one]")] = None,
    no_flower: Annotated[bool, typer.Option("--no-flower", help="Without Flower.")] = False,
    data_dir: Annotated[Path | None, typer.Option(help="Where to keep data, logs and state.")] = None,
) -> None:
    """Start Valkey, workers and Flower; Ctrl-C stops them all.

    Uses the server in ORCHESTRATOR_REDIS_URL instead of its own, if that is set. Exits with 1 if a stack
    runs in this folder already, or a process does not start.
    """
    workspace: Workspace = context.obj
    folder = StateFolder(data_dir) if data_dir else workspace.folder
    folder.create()
    with folder.lock():
        end_orphans(folder, report)
        stopping = StopSignals()
        server = choose_server(workspace, folder, port)
        stack = open_stack(workspace, folder, server, stopping)
        with stack:
            chosen = None if no_flower else (flower_port or choose_port(FLOWER_PORT))
            start_stack(stack, workspace, workers=workers, concurrency=concurrency, flower_port=chosen)
            if not stopping.is_stopping():
                _welcome(workspace, stack)
            while not stopping.is_stopping():
                stack.poll()
                time.sleep(POLL_SECONDS)
        say("Stopped.")


def worker(context: typer.Context) -> None:
    """Start one worker: `celery worker` with our defaults; all further arguments are passed on to Celery.

    For example `orchestrator worker -Q slow -c 8`. Celery's own help: `orchestrator worker -- --help`.
    """
    loaded = context.obj.loaded
    given = list(context.args)
    arguments = ["-n", f"worker{os.getpid()}@%h", "-E", "--loglevel=INFO", "-Q", ",".join(agent_queues(loaded))]
    if not _has(given, "-P", "--pool"):
        arguments += pool_arguments(LLM_CONCURRENCY)
    command = celery_command(loaded.spec, ["worker", *arguments, *given])
    os.execve(command[0], command, {**os.environ, **POOL_ENVIRONMENT})


def choose_server(workspace: Workspace, folder: StateFolder, port: int | None) -> EmbeddedValkey | None:
    """The Valkey to start, told to the app; `None` if the user names a server. Call before the app is loaded."""
    if workspace.given_url:
        return None
    server = EmbeddedValkey(folder.path / "valkey", port or choose_port(REDIS_PORT))
    workspace.use_server(server.url)
    return server


def open_stack(
    workspace: Workspace, folder: StateFolder, server: EmbeddedValkey | None, stopping: StopSignals
) -> Stack:
    """The stack of the workspace's app, nothing started yet."""
    loaded = workspace.loaded
    if server is not None and loaded.app.conf.broker_url != server.url:
        report("valkey", f"not started: the app brings its own broker, {mask_url(str(loaded.app.conf.broker_url))}")
        server = None
    url = server.url if server else loaded.orchestrator.ledger_url
    return Stack(
        folder,
        app=loaded.spec,
        redis_url=url,
        server=server,
        report=report,
        is_stopping=stopping.is_stopping,
        is_urgent=stopping.is_urgent,
    )


def start_stack(stack: Stack, workspace: Workspace, *, workers: int, concurrency: int, flower_port: int | None) -> None:
    """Start everything and wait until it is ready. Raises `StackError` and `LedgerUnavailable`."""
    loaded = workspace.loaded
    say(f"App {loaded.spec}, model: {describe_model(loaded.orchestrator.settings)}")
    stack.start_server()
    workspace.connect()
    report("ledger", mask_url(stack.redis_url), "green")
    plans = plan_workers(loaded, workers=workers, concurrency=concurrency, host=socket.gethostname())
    flower = plan_flower(loaded, port=flower_port) if flower_port else None
    if flower_port and flower is None:
        report("flower", "not installed: pip install 'celery-orchestrator[flower]'", "yellow")
    stack.start([flower, *plans] if flower else plans, flower_url=f"http://127.0.0.1:{flower_port}" if flower else None)
    stack.wait_until_ready(ping_through(loaded.app))
    stack.save()


def _welcome(workspace: Workspace, stack: Stack) -> None:
    registry = workspace.loaded.orchestrator.registry
    names = main_names([*registry.agents, *registry.flows])
    if not names:
        raise StackError(f"App {workspace.loaded.spec} has no agents: there is nothing that its workers could run.")
    demo = getattr(workspace.loaded.module, "DEMO", None)
    entry = entry_name(names, registry.runnables())
    example = _example(demo) if isinstance(demo, Demo) and demo.runs else f'{entry} "…"'
    say()
    counted = [_count(registry.agents, "agent"), _count(registry.flows, "flow")]
    say(f"Ready with {' and '.join(filter(None, counted))}: {', '.join(names)}.", style="bold")
    say(f"  In this folder: orchestrator run {example}")
    say("                  orchestrator list, watch, show, cancel, doctor, demo")
    say(f"  Logs: {stack.folder.logs}   Ctrl-C stops everything.")


def main_names(names: Iterable[str]) -> list[str]:
    """The names in order, without parts of others by their name: of `blog` and `blog.critic`, the first."""
    known = set(names)
    return sorted(name for name in known if name.rpartition(".")[0] not in known)


def entry_name(names: Sequence[str], runnables: Sequence[Runnable]) -> str:
    """The first name that nothing else hands over to, calls or has as a step."""
    reached = {other.name for found in runnables for other in found.neighbours() if other is not found}
    return next((name for name in names if name not in reached), names[0])


def _count(found: Sized, what: str) -> str:
    return f"{len(found)} {what}{'' if len(found) == 1 else 's'}" if found else ""


def _example(demo: Demo) -> str:
    first = demo.runs[0]
    context = to_jsonable_python(first.context)
    given = f"--context {shlex.quote(json.dumps(context, ensure_ascii=False))} " if context is not None else ""
    return f"{demo.agent.name} {given}{shlex.quote(first.input)}"


def _has(arguments: list[str], *names: str) -> bool:
    return any(argument.partition("=")[0] in names or argument.startswith(names[0]) for argument in arguments)
