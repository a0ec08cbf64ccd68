"""What ledgers read from the entries that they record, and the entries that they write themselves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from orchestrator.budget import MICROS, Budget, Quantity, Spent
from orchestrator.entries import (
    Decided,
    EntryBase,
    HandedOff,
    Outcome,
    Output,
    Parked,
    Reply,
    RunInput,
    RunOptions,
    Started,
)
from orchestrator.errors import RunCancelled, RunPoisoned, describe_error
from orchestrator.ledger.base import NewRun
from orchestrator.question import Question, QuestionKind
from orchestrator.usage import Usage

_UNITS: dict[str, int] = {"money": MICROS, "seconds": 1000}

EXPIRED = "rejected, because nobody had decided in time"
UNKNOWN = "Unknown: the run ended before the result of this call was recorded. It may have taken effect."


@dataclass(frozen=True)
class Writing:
    """Entries that a holder records at once, and what they say about the run."""

    entries: Sequence[EntryBase]
    started: Mapping[str, str]
    """Calls that begin: the tool's name by call id."""
    settled: Sequence[str]
    """Calls that end."""
    usage: Usage | None
    """What the run has spent so far; `None` changes nothing."""
    parked: Parked | None = None
    """What the run waits for."""

    @property
    def max_failures(self) -> int | None:
        """How many of the awaited runs may fail before the run goes on at once."""
        return self.parked.max_failures if self.parked else None

    @property
    def questions(self) -> Sequence[Question]:
        """What people are asked."""
        return self.parked.questions if self.parked else ()

    def known_waits(self, children: Sequence[NewRun]) -> dict[str, str]:
        """The runs that are waited for besides these new ones, by call id."""
        new = {child.run_id for child in children}
        waits = self.parked.waits if self.parked else {}
        return {call_id: child for call_id, child in waits.items() if child not in new}

    @property
    def has_result(self) -> bool:
        """Whether the run got anywhere. Not by `Started`: a tool that kills its worker starts every time."""
        return bool(self.settled) or any(isinstance(entry, Reply) for entry in self.entries)

    @property
    def spent(self) -> dict[str, int]:
        """What is to be added to the tree's spending; the ledger counts tool calls by itself, each call id once."""
        replies = [entry for entry in self.entries if isinstance(entry, Reply)]
        return {
            "turns": len(replies),
            "tokens": sum(reply.usage.total_tokens for reply in replies),
            "money": sum(reply.cost_micros for reply in replies),
        }


def warn_thresholds(budget: Budget) -> dict[Quantity, int]:
    """From which amount on each limit is near, in the ledger's whole units: millionths and milliseconds."""
    return {name: math.ceil(limit * budget.warn_at * _UNITS.get(name, 1)) for name, limit in budget.limits()}


def spent_from(counted: Mapping[str, int], *, milliseconds: float, warned: Mapping[Quantity, str]) -> Spent:
    """A tree's spending, from what the ledger has counted."""
    return Spent(
        tokens=counted.get("tokens", 0),
        money=counted.get("money", 0) / MICROS,
        turns=counted.get("turns", 0),
        tool_calls=counted.get("tool_calls", 0),
        seconds=milliseconds / 1000,
        warned=warned,
    )


def options_of(entry: EntryBase) -> RunOptions:
    """The options of a run's first entry."""
    return entry.options if isinstance(entry, RunInput) else RunOptions()


def retried_run(entry: EntryBase) -> str | None:
    """The run that a run with this first entry repeats."""
    return entry.retry.run_id if isinstance(entry, RunInput) and entry.retry else None


def read_entries(
    entries: Sequence[EntryBase],
    *,
    started: Sequence[str] = (),
    settled: Sequence[str] = (),
    usage: Usage | None = None,
) -> Writing:
    """Add the calls that `Started` and `Output` entries name to those that the caller names."""
    tools = {entry.call_id: entry.tool for entry in entries if isinstance(entry, Started)}
    ends = [entry.call_id for entry in entries if isinstance(entry, Output)]
    parked = next((entry for entry in entries if isinstance(entry, Parked)), None)
    all_started = dict.fromkeys(started, "") | tools
    return Writing(entries, all_started, list(dict.fromkeys([*settled, *ends])), usage, parked)


def is_move(entry: EntryBase) -> bool:
    """Whether the entry would be untrue if the run ended instead of moving."""
    return isinstance(entry, HandedOff | Parked)


def is_counted_call(caller: str, task: str) -> bool:
    """Whether creating a child is a tool call: an agent's call of an agent or flow is. Tools count when they start."""
    return caller.startswith("agents.") and not task.startswith("tools.")


def cancelled_outcome(reason: str | None = None, *, agent: str = "", usage: Usage | None = None) -> Outcome:
    """The end of a run that was cancelled, with the reason that was given."""
    error = RunCancelled(f"The run was cancelled: {reason}") if reason else RunCancelled("The run was cancelled.")
    return Outcome(kind="cancelled", error=describe_error(error), agent=agent, usage=usage or Usage())


def poisoned_outcome(run_id: str, max_tries: int) -> Outcome:
    """The end of a run that nobody should try again."""
    error = RunPoisoned(
        f"Run `{run_id}` was given to a worker {max_tries} times in a row without a result: it probably kills them. "
        "Look into the workers' logs for what it did last."
    )
    return Outcome(kind="failure", error=describe_error(error))


def unknown_output(call_id: str, tool: str) -> Output:
    """What the log says of a call that was started and never heard of again."""
    return Output(call_id=call_id, tool=tool, output=UNKNOWN, failed=True)


def kinds_decided_by(decided: Decided) -> list[QuestionKind]:
    """The kinds of questions that a decision can decide."""
    match decided.verdict:
        case "approved":
            return ["approval"] if decided.always else ["approval", "interrupted"]
        case "answered":
            return ["answer"]
        case "rejected":
            return ["approval"] if decided.always else ["approval", "interrupted", "answer"]
        case _:
            assert_never(decided.verdict)


def describe_verdict(decided: Decided) -> str:
    """A decision in a few words, for whoever decides too late."""
    return f"{decided.verdict} by {decided.by}" if decided.by else decided.verdict
