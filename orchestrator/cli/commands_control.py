"""`cancel`, `pause`, `resume` and `retry`: what can be done to a run from outside."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from orchestrator.cli.commands_runs import JsonOption, RunArgument
from orchestrator.cli.console import print_json, say
from orchestrator.cli.exits import CommandError
from orchestrator.cli.submit_options import (
    AnswerAtLimitOption,
    BudgetOption,
    DeadlineOption,
    TurnsOption,
    read_budget,
)
from orchestrator.ledger.base import RUNS_KEPT


def cancel(
    context: typer.Context,
    run_ids: Annotated[list[str] | None, typer.Argument(metavar="RUN…", help="The runs' ids.")] = None,
    tag: Annotated[str | None, typer.Option("--tag", help="All runs with this tag that have not ended.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="What to tell whoever waits for the result.")] = None,
) -> None:
    """Stop runs and all that they wait for. What has happened stays in the ledger."""
    if bool(run_ids) == bool(tag):
        raise CommandError(
            "Name the runs to cancel, or a tag: orchestrator cancel RUN…, orchestrator cancel --tag TAG."
        )
    client = context.obj.connect().client
    found = client.recent(RUNS_KEPT, tag=tag) if tag else [client.run(run_id).summary() for run_id in run_ids or ()]
    if not found:
        say(f"No runs with tag {tag!r}.")
    going = [summary.run_id for summary in found if summary.outcome is None]
    client.cancel(going, reason)
    for run_id in going:
        say(f"Run {run_id} is being cancelled.")
    for summary in found:
        if summary.outcome is not None and not tag:
            say(f"Run {summary.run_id} has ended already.")


def pause(context: typer.Context, run_id: RunArgument) -> None:
    """Let a run and all below it rest at their next step."""
    context.obj.connect().run(run_id).pause()
    say(f"Run {run_id} is paused. Let it go on: orchestrator resume {run_id}")


def resume(context: typer.Context, run_id: RunArgument) -> None:
    """Let a paused run go on."""
    context.obj.connect().run(run_id).resume()
    say(f"Run {run_id} goes on.")


def retry(
    context: typer.Context,
    run_id: RunArgument,
    from_turn: Annotated[
        int | None,
        typer.Option("--from", metavar="TURN", help="How many turns to keep; 0 begins anew. [default: all good ones]"),
    ] = None,
    max_turns: TurnsOption = None,
    budget: BudgetOption = None,
    answer_at_limit: AnswerAtLimitOption = False,
    deadline: DeadlineOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a failed or cancelled run again, with the code of now, and print the new run's id."""
    options: dict[str, Any] = {"deadline": deadline, "budget": read_budget(budget, answer_at_limit=answer_at_limit)}
    if max_turns is not None:
        options["max_turns"] = max_turns
    again = context.obj.connect().run(run_id).retry(from_turn, **options)
    if as_json:
        print_json({"run_id": again.id, "retry_of": run_id})
    else:
        say(again.id)
