"""Runs a failed run again from its last good turn: a new run, whose log begins with what was good of the old one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from orchestrator.children import describe_input, digest_of
from orchestrator.entries import (
    BudgetNotice,
    ChildEnded,
    Entry,
    Invoked,
    Outcome,
    Output,
    Parked,
    Reply,
    RetryOf,
    RunInput,
    RunOptions,
)
from orchestrator.errors import InvalidInput, WrongRunState
from orchestrator.ledger.base import NewRun, RunSummary
from orchestrator.ledger.entry_rules import UNKNOWN
from orchestrator.state import fold
from orchestrator.submission import check_run_id
from orchestrator.verdicts import Checked

_OF_THE_OLD_RUN = (Invoked, BudgetNotice, Checked, Outcome)
"""Not taken over. Guardrails judge again, or a retry would be a way around them."""
_RETRIED = re.compile(r"(.*)\.retry([0-9]+)")


def retry_id(run_id: str) -> str:
    """The id of a run's retry: the same each time, so that retrying twice starts one run."""
    found = _RETRIED.fullmatch(run_id)
    return f"{found[1]}.retry{int(found[2]) + 1}" if found else f"{run_id}.retry1"


def check_retry(summary: RunSummary, entries: Sequence[Entry], from_turn: int | None) -> RunInput:
    """The run's first entry. Raises `WrongRunState` for a run that cannot be retried, `InvalidInput` for the turn."""
    run_id, outcome = summary.run_id, summary.outcome
    first = entries[0] if entries else None
    if outcome is None:
        raise WrongRunState(f"Run {run_id} has not ended: cancel it first, then retry it.", run_id=run_id)
    if outcome.kind == "answer":
        raise WrongRunState(f"Run {run_id} has its answer; only failed and cancelled runs are retried.", run_id=run_id)
    if summary.parent is not None:
        raise WrongRunState(
            f"Run {run_id} serves a call of run {summary.parent[0]}: retry the run at the top.", run_id=run_id
        )
    assert isinstance(first, RunInput)
    if first.session is not None:
        raise WrongRunState(
            f"Run {run_id} was said in session `{first.session}`: say it there again instead.", run_id=run_id
        )
    turns = 0 if is_flow(summary) else sum(isinstance(entry, Reply) for entry in entries)
    if from_turn is not None and not 0 <= from_turn <= turns:
        raise InvalidInput(f"Run {run_id} has {turns} turns; it cannot be retried from turn {from_turn}.")
    return first


def is_flow(summary: RunSummary) -> bool:
    """Whether a flow's run is asked about, which has steps in place of turns."""
    return summary.task.startswith("flows.")


def who_goes_on(summary: RunSummary, entries: Sequence[Entry], from_turn: int | None) -> str:
    """The flow, or the agent that was active where the retry begins."""
    return summary.agent if is_flow(summary) else fold([entries[0], *_good_turns(entries, from_turn)]).agent


def retry_run(
    summary: RunSummary, entries: Sequence[Entry], *, from_turn: int | None, options: RunOptions, queue: str | None
) -> NewRun:
    """The run to start. `from_turn` turns are kept; `None`: as many as are good. Raises as `check_retry` does."""
    first = check_retry(summary, entries, from_turn)
    kept = _good_steps(entries) if is_flow(summary) else _good_turns(entries, from_turn)
    kept = [] if from_turn == 0 else kept
    state = fold([first, *kept])
    origin = first.retry.origin if first.retry else summary.run_id
    turns = sum(isinstance(entry, Reply) for entry in kept)
    retry = RetryOf(run_id=summary.run_id, turns=turns, origin=origin)
    entry = first.model_copy(update={"retry": retry, "options": options})
    task = summary.task if is_flow(summary) else f"agents.{state.agent}"
    timeless = entry.model_copy(update={"options": options.model_copy(update={"deadline_at": None})})
    run_id = retry_id(summary.run_id)
    check_run_id(run_id)
    return NewRun(
        run_id=run_id,
        task=task,
        digest=digest_of(task, timeless),
        entry=entry,
        queue=queue,
        priority=options.priority,
        note=describe_input(first.items),
        copied=[_without_waits(entry) for entry in kept],
    )


def _without_waits(entry: Entry) -> Entry:
    """A copied entry: what an old run waited for, the new one does not."""
    if not isinstance(entry, Parked):
        return entry
    return entry.model_copy(update={"waits": {}, "until": None, "error": None, "limit": None, "paused": False})


def _good_turns(entries: Sequence[Entry], from_turn: int | None) -> list[Entry]:
    """What follows the input, without a last reply of which nothing came but the failure: the model is asked again."""
    kept = _cut(entries, from_turn)
    turn = fold(kept).turn
    if turn is None or turn.started or turn.outputs or turn.ended_children:
        return kept[1:]
    last = max(number for number, entry in enumerate(kept) if isinstance(entry, Reply))
    return kept[1:last]


def _cut(entries: Sequence[Entry], from_turn: int | None) -> list[Entry]:
    """The entries of the first turns. Calls that had not ended are open: they begin again, as after a crash."""
    kept: list[Entry] = []
    turns = 0
    for entry in entries:
        turns += isinstance(entry, Reply)
        if from_turn is not None and turns > from_turn:
            break
        is_made_up = isinstance(entry, Output) and entry.failed and entry.output == UNKNOWN
        if not is_made_up and not isinstance(entry, _OF_THE_OLD_RUN):
            kept.append(entry)
    return kept


def _good_steps(entries: Sequence[Entry]) -> list[Entry]:
    """What steps of a flow have come to: those that failed are done again."""
    return [
        entry
        for entry in entries
        if (isinstance(entry, ChildEnded) and entry.outcome.kind == "answer")
        or (isinstance(entry, Output) and not entry.failed)
    ]
