"""`show` and `list`: look at runs that were submitted."""

from __future__ import annotations

import json
import time
from typing import Annotated, Any

import typer
from rich.text import Text

from orchestrator.cli.commands_runs import JsonOption, RunArgument, print_answer
from orchestrator.cli.console import (
    as_text,
    clean,
    clip,
    console,
    format_seconds,
    format_tokens,
    plain_table,
    print_json,
    print_table,
    say,
    text_of,
)
from orchestrator.cli.follow import read_events
from orchestrator.cli.nodes import RunNode, RunState
from orchestrator.cli.render import RUN_STYLES, outcome_text, render_run
from orchestrator.cli.tree import fold_events
from orchestrator.errors import RunNotFound
from orchestrator.ledger.base import RunSummary
from orchestrator.loop import background
from orchestrator.question import describe_question

_ENDED: dict[str, RunState] = {"answer": "answered", "failure": "failed", "cancelled": "cancelled"}


def show(context: typer.Context, run_id: RunArgument, as_json: JsonOption = False) -> None:
    """Show a run as it stands: input, tree, answer, usage, and where to look in Flower."""
    workspace = context.obj
    events = background.run(read_events(workspace.connect().ledger, run_id))
    if not events:
        raise RunNotFound(f"There is no run {run_id!r}: never submitted here, or past its retention.", run_id=run_id)
    node = fold_events(run_id, events)
    if as_json:
        print_json({"run_id": run_id, "state": node.state, "events": [event.to_dict() for event in events]})
        return
    console().print(render_run(node, time.time(), ids=True))
    _print_rest(node, workspace.stack.flower_url if workspace.stack else None)


def list_runs(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many.")] = 20,
    tag: Annotated[str | None, typer.Option("--tag", help="Only runs with this tag.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the latest submitted runs, newest first."""
    summaries = context.obj.connect().client.recent(limit, tag=tag)
    now = time.time()
    if as_json:
        for summary in summaries:
            print_json(_as_row(summary, now))
        return
    if not summaries:
        say(f"No runs with tag {tag!r}." if tag else "No runs yet. Start one: orchestrator run AGENT INPUT")
        return
    table = plain_table("RUN", "AGENT", "STATE", "STARTED", "TOOK", "TOKENS", "OUTCOME")
    table.columns[0].overflow = "fold"  # an id that is cut is of no use
    for summary in summaries:
        row = _as_row(summary, now)
        state: RunState = row["state"]
        table.add_row(
            row["run_id"],
            row["agent"],
            Text(state, style=RUN_STYLES[state]),
            time.strftime("%d %b %H:%M:%S", time.localtime(summary.started_at)),
            format_seconds(row["seconds"]),
            f"{row['tokens']:,}",
            Text(clip(row["outcome"], 60)),
        )
    print_table(table)


def _print_rest(node: RunNode, flower_url: str | None) -> None:
    say()
    say(f"Input: {clean(text_of(node.input))}")
    if node.retry_of:
        say(f"Retry of: {node.retry_of.run_id}, of which it took over {node.retry_of.turns} turns")
    if node.options.tags:
        say(f"Tags: {clean(', '.join(node.options.tags))}")
    if node.options.metadata:
        say(f"Metadata: {clean(json.dumps(node.options.metadata, ensure_ascii=False))}")
    if node.outcome is not None and node.outcome.kind == "answer":
        say("Answer:", style="bold green")
        print_answer(node.outcome.output)
    elif node.outcome is not None:
        say(clean(outcome_text(node)), style="red")
    usage = node.usage
    say(
        f"Usage: {usage.requests} model calls, {format_tokens(usage.total_tokens)} "
        f"({usage.input_tokens:,} in, {usage.output_tokens:,} out)" + (f", cost {node.cost:.6g}" if node.cost else "")
    )
    if flower_url:
        for invocation in (found for found in node.invocations if found.has_task):
            say(f"Flower: {flower_url}/task/{invocation.task_id}  {invocation.name}")


def state_of(summary: RunSummary) -> RunState:
    """The state that people read: how a run ended, or where it is."""
    if summary.outcome is not None:
        return _ENDED[summary.outcome.kind]
    return "running" if summary.status == "done" else summary.status


def _as_row(summary: RunSummary, now: float) -> dict[str, Any]:
    end = summary.updated_at if summary.outcome is not None else now
    outcome = summary.outcome
    error = (outcome.error or {}).get("message", "") if outcome else ""
    return {
        "run_id": summary.run_id,
        "agent": summary.task.partition(".")[2],
        "state": state_of(summary),
        "started_at": summary.started_at,
        "seconds": round(end - summary.started_at, 3),
        "tokens": (outcome.usage if outcome else summary.usage).total_tokens,
        "step": summary.step,
        "tags": list(summary.tags),
        "metadata": dict(summary.metadata),
        "outcome": (as_text(outcome.output) or error) if outcome else _describe_wait(summary),
    }


def _describe_wait(summary: RunSummary) -> str:
    if summary.pause:
        return "paused"
    if summary.status != "parked":
        return ""
    waits = [*map(describe_question, summary.questions), *([f"{len(summary.waits)} runs"] if summary.waits else [])]
    return f"waits for {', '.join(waits)}" if waits else ""
