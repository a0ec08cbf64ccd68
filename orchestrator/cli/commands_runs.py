"""`submit`, `run` and `watch`: start runs, and see them live."""

from __future__ import annotations

import json
import sys
import time
from typing import Annotated, Any

import typer

from orchestrator.cli.console import clean, console, print_json, say, say_aside
from orchestrator.cli.exits import INTERRUPTED, CommandError, exit_code_of_run
from orchestrator.cli.follow import follow
from orchestrator.cli.nodes import RunNode
from orchestrator.cli.render import outcome_text, render_run
from orchestrator.cli.session import Session
from orchestrator.cli.submit_options import (
    AnswerAtLimitOption,
    BudgetOption,
    ContextOption,
    DeadlineOption,
    PriorityOption,
    QueueOption,
    RunIdOption,
    SessionOption,
    TagOption,
    TenantOption,
    TurnsOption,
    read_budget,
    read_context,
)
from orchestrator.cli.tree import RunTree
from orchestrator.cli.views import JsonView, LineView, LiveView, View
from orchestrator.errors import ResultTimeout
from orchestrator.run import Run

AgentArgument = Annotated[str, typer.Argument(metavar="AGENT", help="The agent's or flow's name.")]
InputArgument = Annotated[
    list[str], typer.Argument(metavar="INPUT…", help="What to say to it; `-` reads standard input.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON for scripts.")]
TimeoutOption = Annotated[
    float | None, typer.Option("--timeout", min=0, help="Stop watching after so many seconds (exit code 5).")
]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")]


def submit(
    context: typer.Context,
    agent: AgentArgument,
    input: InputArgument,
    run_context: ContextOption = None,
    run_id: RunIdOption = None,
    max_turns: TurnsOption = None,
    queue: QueueOption = None,
    priority: PriorityOption = None,
    session_id: SessionOption = None,
    tenant: TenantOption = None,
    budget: BudgetOption = None,
    answer_at_limit: AnswerAtLimitOption = False,
    deadline: DeadlineOption = None,
    tags: TagOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start a run and print its id."""
    limits = read_budget(budget, answer_at_limit=answer_at_limit)
    started = _submit(
        context.obj,
        agent,
        input,
        queue=queue,
        max_turns=max_turns,
        run_id=run_id,
        priority=priority,
        tenant=tenant,
        context=read_context(run_context),
        budget=limits,
        deadline=deadline,
        tags=tags,
        session=session_id,
    )
    if as_json:
        print_json({"run_id": started.id, "agent": agent})
    else:
        say(started.id)


def run(
    context: typer.Context,
    agent: AgentArgument,
    input: InputArgument,
    run_context: ContextOption = None,
    run_id: RunIdOption = None,
    max_turns: TurnsOption = None,
    queue: QueueOption = None,
    priority: PriorityOption = None,
    session_id: SessionOption = None,
    tenant: TenantOption = None,
    budget: BudgetOption = None,
    answer_at_limit: AnswerAtLimitOption = False,
    deadline: DeadlineOption = None,
    tags: TagOption = None,
    timeout: TimeoutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start a run, watch it, and print its answer. Ctrl-C stops watching; the run goes on."""
    is_watched = not as_json and console().is_terminal
    limits = read_budget(budget, answer_at_limit=answer_at_limit)
    started = _submit(
        context.obj,
        agent,
        input,
        queue=queue,
        max_turns=max_turns,
        run_id=run_id,
        priority=priority,
        tenant=tenant,
        context=read_context(run_context),
        budget=limits,
        deadline=deadline,
        tags=tags,
        session=session_id,
        run_options={"stream": is_watched},
    )
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


def _submit(
    session: Session, agent: str, words: list[str], /, *, queue: str | None, max_turns: int | None, **options: Any
) -> Run:
    orchestrator = session.connect()
    record = session.find_agent(agent)
    if max_turns is not None:
        options["max_turns"] = max_turns
    queue = queue or (record.queue if record else None)
    return orchestrator.submit(agent, _read_input(words), queue=queue, **options)


def _read_input(words: list[str]) -> str:
    text = sys.stdin.read() if words == ["-"] else " ".join(words)
    if not text.strip():
        raise CommandError("The input is empty. Give the agent something to work on.")
    return text


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
