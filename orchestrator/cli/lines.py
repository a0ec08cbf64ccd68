"""A run's events as plain lines in order of time, for logs and pipes. Pure."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import assert_never

from orchestrator.choice import Choice
from orchestrator.cli.activity import open_waits
from orchestrator.cli.console import clip, format_arguments, format_seconds, format_tokens, text_of
from orchestrator.cli.nodes import CallNode, RunNode
from orchestrator.cli.render import describe_notice, outcome_text
from orchestrator.cli.tree import ONLY_STEP, RunTree
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
    ToolCall,
)
from orchestrator.events import Event


def event_line(event: Event, tree: RunTree) -> str | None:
    """One event, after the tree has taken it in.

    `None`: a claim in passing, which may leave its step to a task; the line of what it does names the step. And a claim
    that only delivers an outcome, which has been told.
    """
    run = tree.node(event.run_id)
    if isinstance(event.entry, Invoked) and (event.entry.in_passing or run.outcome is not None):
        return None
    moment = time.strftime("%H:%M:%S", time.localtime(event.at)) + f".{int(event.at * 1000) % 1000:03}"
    depth = "" if run is tree.root else "  "
    return f"{moment}  {depth}{run.active}: {describe_event(event, run)}"


def describe_event(event: Event, run: RunNode) -> str:
    """What happened, in a few words."""
    entry = event.entry
    match entry:
        case RunInput():
            call = entry.call
            called = f"called by {call.agent} as {_describe_call(call)}" if call else ""
            return called or f"input: {clip(text_of(entry.items))}"
        case SessionHistory():
            return f"has the floor of session {entry.session}, with {len(entry.items)} items said before"
        case Invoked():
            return f"step {entry.step} on {entry.worker}"
        case Reply():
            return _describe_turn(run)
        case Started():
            started = run.calls.get(entry.call_id)
            return f"runs {entry.tool}({format_arguments(started.arguments)})" if started else f"runs {entry.tool}"
        case Output():
            return _describe_output(entry, run)
        case ChildEnded():
            served = run.calls.get(entry.call_id)
            return f"{served.tool if served else entry.child} ended: {entry.outcome.kind}"
        case HandedOff():
            return f"hands over to {entry.target}"
        case Parked():
            waits = f"waits for {', '.join(open_waits(run))}, holding no worker"
            return _describe_passing(run) + _after(entry.choices, waits)
        case Decided():
            return _describe_decision(entry, run)
        case Checked():
            return f"guardrail {entry.guardrail} {'trips on' if entry.tripped else 'lets pass'} the {entry.stage}"
        case Delta():
            return f"writes: {clip(entry.text)}"
        case BudgetNotice():
            return describe_notice(entry)
        case Outcome():
            return _describe_outcome(entry, run, event.at)
        case _:
            assert_never(entry)


def _describe_outcome(entry: Outcome, run: RunNode, at: float) -> str:
    said = f"{run.state} after {format_seconds(at - run.began_at)}: {clip(outcome_text(run), 160)}"
    return _describe_passing(run) + _after(entry.choices, said)


def _describe_output(entry: Output, run: RunNode) -> str:
    outcome = "failed" if entry.failed else "returned"
    said = f"{entry.tool} {outcome}{_duration(run.calls.get(entry.call_id))}: {clip(entry.output)}"
    return _after(entry.choices, said)


def _after(choices: Iterable[Choice], said: str) -> str:
    """What a flow's code had decided, and then what happened."""
    return "; ".join([*(clip(str(choice), 160) for choice in choices), said])


def _describe_passing(run: RunNode) -> str:
    """The step of a claim in passing, which is not told when it begins: it may leave the step to a task."""
    last = run.invocations[-1] if run.invocations else None
    return f"step {last.step} in passing on {last.worker}: " if last and last.is_in_passing else ""


def _describe_call(call: ToolCall) -> str:
    return f"{call.tool_name}({format_arguments(call.arguments)})" if call.arguments else call.call_id or ONLY_STEP


def _describe_decision(entry: Decided, run: RunNode) -> str:
    call = run.calls.get(entry.call_id)
    by = f" by {entry.by}" if entry.by else ""
    scope = ", and its further calls" if entry.always else ""
    verdict = "was not decided in time" if entry.expired else f"{entry.verdict}{by}{scope}"
    words = entry.message or ("" if entry.value is None else clip(json.dumps(entry.value, ensure_ascii=False)))
    return f"{call.tool if call else entry.call_id} {verdict}" + (f": {clip(words)}" if words else "")


def _describe_turn(run: RunNode) -> str:
    if not run.invocations or not run.invocations[-1].turns:
        return "the model replied"
    turn = run.invocations[-1].turns[-1]
    facts = f"turn {turn.number}, {turn.model or 'model'}, {format_tokens(turn.usage.total_tokens)}"
    took = format_seconds(turn.ended_at - turn.began_at)
    asked = ", ".join(call.tool for call in turn.calls)
    consequence = f"asks for {asked}" if asked else f"says: {clip(turn.text)}"
    return f"{facts}, {took}: {consequence}"


def _duration(call: CallNode | None) -> str:
    if call is None or call.ended_at is None:
        return ""
    return f" after {format_seconds(call.ended_at - call.asked_at)}"
