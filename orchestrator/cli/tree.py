"""What a run looks like: its events folded into nodes that a screen can show. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import assert_never

from orchestrator.budget import MICROS
from orchestrator.choice import Choice
from orchestrator.cli.console import text_of
from orchestrator.cli.nodes import CallNode, CallState, InvocationNode, RunNode, RunState, TurnNode
from orchestrator.delta import Delta
from orchestrator.entries import (
    BudgetNotice,
    Checked,
    ChildEnded,
    Decided,
    HandedOff,
    Invoked,
    Outcome,
    Output,
    Parked,
    Reply,
    RunInput,
    SessionHistory,
    Started,
)
from orchestrator.events import Event
from orchestrator.run_ids import task_id

_ENDS: dict[str, RunState] = {"answer": "answered", "failure": "failed", "cancelled": "cancelled"}
ONLY_STEP = "step"
"""What the member of a flow that is one step is called: its place is empty."""


class RunTree:
    """The tree of one submitted run. `apply` its events and those of the runs below it, each run's in order."""

    def __init__(self, run_id: str) -> None:
        self.root = RunNode(run_id)
        self._nodes = {run_id: self.root}

    def node(self, run_id: str) -> RunNode:
        """The node of a run of this tree."""
        return self._nodes.setdefault(run_id, RunNode(run_id))

    def apply(self, event: Event) -> None:
        """Take one event in."""
        run, at, entry = self.node(event.run_id), event.at, event.entry
        match entry:
            case RunInput():
                run.name, run.input, run.began_at, run.options = entry.agent, entry.items, at, entry.options
                run.retry_of = entry.retry
            case SessionHistory():
                run.name = entry.agent or run.name
            case Invoked():
                _apply_invocation(run, entry, at)
            case Reply():
                _apply_reply(run, entry, at)
            case Started():
                _set_state(run, entry.call_id, "running")
            case Output():
                _apply_output(run, entry, at)
            case ChildEnded():
                _apply_child(run, entry, at)
            case HandedOff():
                _apply_handoff(run, entry, at)
            case Parked():
                self._apply_parked(run, entry, at)
            case BudgetNotice():
                run.notices.append(entry)
            case Decided():
                _apply_decision(run, entry)
            case Checked():
                pass
            case Outcome():
                _apply_outcome(run, entry, at)
            case Delta():
                _apply_delta(run, entry)
                return
            case _:
                assert_never(entry)
        run.changed_at = at

    def _apply_parked(self, run: RunNode, entry: Parked, at: float) -> None:
        _add_choices(run, entry.choices)
        for call_id, child in entry.waits.items():
            if call := run.calls.get(call_id) or _add_member(run, call_id, at):
                call.child = self.node(child)
                call.state = "waiting"
        for question in entry.questions:
            if call := run.calls.get(question.call_id):
                call.question, call.state = question, "waiting"
        run.state = "parked"
        run.waits_for = _reason(entry)
        _close_invocation(run, at)


def fold_events(run_id: str, events: Iterable[Event]) -> RunNode:
    """The tree that these events lead to."""
    tree = RunTree(run_id)
    for event in events:
        tree.apply(event)
    return tree.root


def _reason(entry: Parked) -> str:
    if entry.paused:
        return "somebody to resume it"
    if entry.limit is not None:
        return f"the limit of model {entry.limit}"
    return "the next attempt to call the model" if entry.error is not None else ""


def _apply_invocation(run: RunNode, entry: Invoked, at: float) -> None:
    if run.outcome is not None:  # only the delivery of what is known already
        return
    if run.invocations and run.invocations[-1].ended_at is None:
        run.invocations[-1].is_lost = not entry.after_release
        _close_invocation(run, at)
        if entry.after_release and run.invocations[-1].is_empty:
            run.invocations.pop()
    node = InvocationNode(entry.step, entry.task, task_id(run.run_id, entry.step), entry.worker, at)
    node.is_in_passing, node.has_task = entry.in_passing, not entry.in_passing
    run.invocations.append(node)
    run.state = "running"


def _apply_delta(run: RunNode, entry: Delta) -> None:
    if entry.turn > run.turns:  # else its reply is here already
        run.writing = run.writing[: entry.offset] + entry.text


def _apply_reply(run: RunNode, entry: Reply, at: float) -> None:
    run.writing = ""
    run.turns += 1
    run.usage += entry.usage
    calls = [
        CallNode(item["call_id"], item.get("name", ""), item.get("arguments", ""), at)
        for item in entry.items
        if item.get("type") == "function_call" and item.get("call_id") not in run.calls
    ]
    run.calls.update({call.call_id: call for call in calls})
    cost = entry.cost_micros / MICROS
    turn = TurnNode(run.turns, entry.model, entry.usage, run.changed_at, at, text_of(entry.items), calls, cost)
    if run.invocations:
        run.invocations[-1].turns.append(turn)


def _apply_output(run: RunNode, entry: Output, at: float) -> None:
    _add_choices(run, entry.choices)
    if entry.usage:
        run.usage += entry.usage
    call = run.calls.get(entry.call_id) or _add_member(run, entry.call_id, at)
    if call is None:
        return
    call.output = entry.output
    if call.ended_at is None or entry.failed:
        _settle(run, entry.call_id, "failed" if entry.failed else "done", call.ended_at or at)


def _apply_child(run: RunNode, entry: ChildEnded, at: float) -> None:
    call, outcome = run.calls.get(entry.call_id), entry.outcome
    _settle(run, entry.call_id, "done" if outcome.kind == "answer" else "failed", at)
    if call is not None and call.is_member:
        run.usage += outcome.usage
        error = (outcome.error or {}).get("message", "")
        call.output = outcome.output if isinstance(outcome.output, str) else error or json.dumps(outcome.output)


def _add_choices(run: RunNode, choices: Iterable[Choice]) -> None:
    if run.invocations:
        run.invocations[-1].moves += choices


def _add_member(run: RunNode, place: str, at: float) -> CallNode | None:
    """A flow's member, seen for the first time; `None` where the run is no flow's."""
    if not run.invocations or not run.invocations[-1].task.startswith("flows."):
        return None
    call = run.calls[place] = CallNode(place, place or ONLY_STEP, "", at, is_member=True)
    run.invocations[-1].moves.append(call)
    return call


def _apply_handoff(run: RunNode, entry: HandedOff, at: float) -> None:
    handed = [item.get("call_id", "") for item in entry.outputs]
    for position, call_id in enumerate(handed, start=1):
        is_taken = position == len(handed)  # the ignored ones come first
        _settle(run, call_id, "handoff" if is_taken else "ignored", at)
        if is_taken and call_id in run.calls:
            run.calls[call_id].target = entry.target
    run.state = "queued"
    _close_invocation(run, at)


def _apply_decision(run: RunNode, entry: Decided) -> None:
    decided = run.calls.get(entry.call_id)
    for call in run.calls.values():
        is_alike = entry.always and decided is not None and call.tool == decided.tool
        if call is decided or (is_alike and call.question):
            call.question, call.state = None, "asked"
    run.state = "queued" if run.state == "parked" else run.state


def _apply_outcome(run: RunNode, entry: Outcome, at: float) -> None:
    _add_choices(run, entry.choices)
    run.state, run.outcome, run.ended_at, run.writing = _ENDS[entry.kind], entry, at, ""
    if entry.usage.requests:
        run.usage = entry.usage
    for call in run.calls.values():
        if call.ended_at is None:
            _settle(run, call.call_id, "ignored" if call.state == "asked" else "failed", at)
    _close_invocation(run, at)
    if run.invocations:
        run.invocations[-1].has_task = True  # the one that delivers


def _close_invocation(run: RunNode, at: float) -> None:
    if run.invocations and run.invocations[-1].ended_at is None:
        run.invocations[-1].ended_at = at


def _set_state(run: RunNode, call_id: str, state: CallState) -> None:
    if call_id in run.calls:
        run.calls[call_id].state = state


def _settle(run: RunNode, call_id: str, state: CallState, at: float) -> None:
    if call_id in run.calls:
        run.calls[call_id].state, run.calls[call_id].ended_at = state, at
