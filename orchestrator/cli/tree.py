"""What a run looks like: its events folded into nodes that a screen can show. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, assert_never

from orchestrator.delta import Delta
from orchestrator.entries import (
    ChildEnded,
    HandedOff,
    Invoked,
    Item,
    Outcome,
    Output,
    Parked,
    Reply,
    RunInput,
    Started,
)
from orchestrator.events import Event
from orchestrator.run_ids import task_id
from orchestrator.usage import Usage

RunState = Literal["queued", "running", "parked", "answered", "failed", "cancelled"]
CallState = Literal["asked", "running", "waiting", "done", "failed", "handoff", "ignored"]

_ENDS: dict[str, RunState] = {"answer": "answered", "failure": "failed", "cancelled": "cancelled"}


@dataclass
class CallNode:
    """A tool call, a call of another agent, a handoff, or a flow's member."""

    call_id: str
    tool: str
    arguments: str
    asked_at: float
    state: CallState = "asked"
    ended_at: float | None = None
    output: str | list[Item] = ""
    target: str = ""
    """Whom a handoff leads to."""
    child: RunNode | None = None
    """The run that serves the call."""
    is_member: bool = False
    """Of a flow: nobody has called it with arguments."""


@dataclass
class TurnNode:
    """One model call and what it asked for."""

    number: int
    model: str
    usage: Usage
    began_at: float
    ended_at: float
    text: str
    calls: list[CallNode] = field(default_factory=list)


@dataclass
class InvocationNode:
    """One Celery task of the run."""

    step: int
    task: str
    task_id: str
    worker: str
    began_at: float
    ended_at: float | None = None
    is_lost: bool = False
    """Whether its worker fell silent, so that another had to take over."""
    turns: list[TurnNode] = field(default_factory=list)
    members: list[CallNode] = field(default_factory=list)
    """What a flow has started."""

    @property
    def name(self) -> str:
        """The agent's or tool's name."""
        return self.task.partition(".")[2]


@dataclass
class RunNode:
    """One run, with the runs that it called below their calls."""

    run_id: str
    name: str = ""
    """The first agent, or the tool."""
    input: list[Item] = field(default_factory=list)
    state: RunState = "queued"
    began_at: float = 0.0
    changed_at: float = 0.0
    ended_at: float | None = None
    turns: int = 0
    usage: Usage = field(default_factory=Usage)
    writing: str = ""
    """What the model has written so far of its next reply."""
    outcome: Outcome | None = None
    waits_for: str = ""
    """What a run that called nobody is parked for."""
    invocations: list[InvocationNode] = field(default_factory=list)
    calls: dict[str, CallNode] = field(default_factory=dict)

    @property
    def active(self) -> str:
        """The agent that is, or was last, at work."""
        return self.invocations[-1].name if self.invocations else self.name

    def walk(self) -> Iterator[RunNode]:
        """This run and all below it."""
        yield self
        for call in self.calls.values():
            if call.child is not None:
                yield from call.child.walk()


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
                run.name, run.input, run.began_at = entry.agent, entry.items, at
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
            case Outcome():
                _apply_outcome(run, entry, at)
            case Delta():
                _apply_delta(run, entry)
                return
            case _:
                assert_never(entry)
        run.changed_at = at

    def _apply_parked(self, run: RunNode, entry: Parked, at: float) -> None:
        for call_id, child in entry.waits.items():
            if call := run.calls.get(call_id) or _add_member(run, call_id, at):
                call.child = self.node(child)
                call.state = "waiting"
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
    if entry.limit is not None:
        return f"the limit of model {entry.limit}"
    return "the next attempt to call the model" if entry.error is not None else ""


def _apply_invocation(run: RunNode, entry: Invoked, at: float) -> None:
    if run.outcome is not None:
        return  # only the delivery of what is known already
    if run.invocations and run.invocations[-1].ended_at is None:
        run.invocations[-1].is_lost = True
        _close_invocation(run, at)
    node = InvocationNode(entry.step, entry.task, task_id(run.run_id, entry.step), entry.worker, at)
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
    turn = TurnNode(run.turns, entry.model, entry.usage, run.changed_at, at, text_of(entry.items), calls)
    if run.invocations:
        run.invocations[-1].turns.append(turn)


def _apply_output(run: RunNode, entry: Output, at: float) -> None:
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


def _add_member(run: RunNode, place: str, at: float) -> CallNode | None:
    """A flow's member, seen for the first time; `None` where the run is no flow's."""
    if not run.invocations or not run.invocations[-1].task.startswith("flows."):
        return None
    call = run.calls[place] = CallNode(place, place, "", at, is_member=True)
    run.invocations[-1].members.append(call)
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


def _apply_outcome(run: RunNode, entry: Outcome, at: float) -> None:
    run.state, run.outcome, run.ended_at, run.writing = _ENDS[entry.kind], entry, at, ""
    if entry.usage.requests:
        run.usage = entry.usage
    for call in run.calls.values():
        if call.ended_at is None:
            _settle(run, call.call_id, "ignored" if call.state == "asked" else "failed", at)
    _close_invocation(run, at)


def _close_invocation(run: RunNode, at: float) -> None:
    if run.invocations and run.invocations[-1].ended_at is None:
        run.invocations[-1].ended_at = at


def _set_state(run: RunNode, call_id: str, state: CallState) -> None:
    if call_id in run.calls:
        run.calls[call_id].state = state


def _settle(run: RunNode, call_id: str, state: CallState, at: float) -> None:
    if call_id in run.calls:
        run.calls[call_id].state, run.calls[call_id].ended_at = state, at


def text_of(items: Iterable[Item]) -> str:
    """The words in items: of messages, or of an input."""
    parts: list[str] = []
    for item in items:
        content = item.get("content") if item.get("role") or item.get("type") == "message" else None
        if isinstance(content, str):
            parts.append(content)
        elif isinstance(content, list):
            parts += [str(part.get("text") or part.get("refusal") or "") for part in content]
    return "\n".join(part for part in parts if part)
