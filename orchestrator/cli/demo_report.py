"""What `demo` shows: a table of all runs while they live, then answers, trees and where to look in Flower."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping

from rich.table import Table
from rich.text import Text

from orchestrator.cli.activity import activity_of
from orchestrator.cli.commands_runs import print_answer
from orchestrator.cli.console import clean, clip, console, format_seconds, format_tokens, plain_table, say, text_of
from orchestrator.cli.nodes import InvocationNode, RunNode
from orchestrator.cli.ports import read_json
from orchestrator.cli.render import RUN_STYLES, mark_of, outcome_text, render_run
from orchestrator.cli.tree import RunTree

FLOWER_SECONDS = 5.0
"""Flower hears of tasks by events, a moment later than we do."""


class DemoBoard:
    """One row a run: who is at work, on what, since when."""

    def __init__(self, titles: Mapping[str, str], trees: Mapping[str, RunTree]) -> None:
        self._titles = titles
        self._trees = trees

    def render(self, now: float) -> Table:
        """The table at this moment."""
        table = plain_table("", "RUN", "AGENT", "STEPS", "TOKENS", "TIME", "NOW")
        table.expand, table.columns[-1].ratio = True, 1
        for run_id, title in self._titles.items():
            run = self._trees[run_id].root
            took = (run.ended_at or now) - run.began_at if run.began_at else 0.0
            table.add_row(
                Text(mark_of(run, now), style=RUN_STYLES[run.state]),
                Text(title),
                Text(run.active, style="bold blue"),
                str(sum(1 for _ in invocations_of(run))),
                f"{run.usage.total_tokens:,}",
                format_seconds(took),
                Text(describe_now(run)),
            )
        return table


def describe_now(run: RunNode) -> str:
    """What the run, or what it waits for, is doing; or how it ended."""
    if run.outcome is not None:
        return clip(outcome_text(run))
    below = [child for child in run.walk() if child is not run and child.state == "running"]
    busy = [f"{child.active} {found.what}" for child in below if (found := activity_of(child))]
    own = activity_of(run)
    return "; ".join([own.what if own else "", *busy])


def print_reports(
    titles: Mapping[str, str], trees: Mapping[str, RunTree], flower_url: str | None, *, seconds: float
) -> bool:
    """Every answer and tree, then the sum. True if every run was answered."""
    roots = {title: trees[run_id].root for run_id, title in titles.items()}
    for title, run in roots.items():
        _print_report(title, run)
    invocations = [invocation for run in roots.values() for invocation in invocations_of(run)]
    _print_sum(list(roots.values()), invocations, seconds)
    if flower_url:
        _print_flower(roots, flower_url)
    return all(run.state == "answered" for run in roots.values())


def invocations_of(run: RunNode) -> Iterator[InvocationNode]:
    """The Celery tasks of a run and of all below it."""
    for node in run.walk():
        yield from (found for found in node.invocations if found.has_task)


def _print_report(title: str, run: RunNode) -> None:
    say()
    console().rule(Text(title, style="bold"), align="left", style="dim")
    say(f"Input: {clean(text_of(run.input))}")
    if run.outcome is not None and run.outcome.kind == "answer":
        say("Answer:", style="bold green")
        print_answer(run.outcome.output)
    else:
        say(f"{run.state}: {clean(outcome_text(run))}", style="bold red")
    console().print(render_run(run, time.time(), ids=True))


def _print_sum(runs: list[RunNode], invocations: list[InvocationNode], seconds: float) -> None:
    answered = sum(run.state == "answered" for run in runs)
    tokens = sum(run.usage.total_tokens for run in runs)
    say()
    say(
        f"{answered} of {len(runs)} runs answered in {format_seconds(seconds)}: {len(invocations)} Celery tasks, "
        f"{format_tokens(tokens)}.",
        style="bold green" if answered == len(runs) else "bold red",
    )
    workers = Counter(invocation.worker for invocation in invocations)
    say("Tasks by worker: " + ", ".join(f"{worker} {count}" for worker, count in sorted(workers.items())))


def _print_flower(roots: Mapping[str, RunNode], flower_url: str) -> None:
    ids = [invocation.task_id for run in roots.values() for invocation in invocations_of(run)]
    seen = _wait_for_flower(flower_url, ids)
    say()
    say(f"In Flower, {flower_url}/tasks (it shows {seen} of these {len(ids)} tasks):", style="bold")
    for title, run in roots.items():
        say(f"  {title}")
        for invocation in invocations_of(run):
            say(f"    {invocation.name:<20} {flower_url}/task/{invocation.task_id}")


def _wait_for_flower(flower_url: str, ids: list[str]) -> int:
    """How many of the tasks Flower knows, once it knows all or a moment has passed."""
    deadline = time.monotonic() + FLOWER_SECONDS
    while True:
        known = read_json(f"{flower_url}/api/tasks") or {}
        seen = sum(task_id in known for task_id in ids)
        if seen == len(ids) or time.monotonic() > deadline:
            return seen
        time.sleep(0.2)
