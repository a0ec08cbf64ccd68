"""Draws a run's nodes as a rich tree. Pure: the same nodes and time give the same picture."""

from __future__ import annotations

from rich.text import Text
from rich.tree import Tree

from orchestrator.choice import Choice
from orchestrator.cli.activity import activity_of
from orchestrator.cli.console import clip, format_arguments, format_seconds, format_tokens, text_of
from orchestrator.cli.nodes import CallNode, CallState, InvocationNode, RunNode, RunState, TurnNode
from orchestrator.entries import BudgetNotice

FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
FRAMES_PER_SECOND = 10
WRITING_SHOWN = 400
"""Characters of a reply in writing: the last ones."""

RUN_STYLES: dict[RunState, str] = {
    "queued": "yellow",
    "running": "cyan",
    "parked": "yellow",
    "answered": "green",
    "failed": "bold red",
    "cancelled": "magenta",
}
_RUN_MARKS: dict[RunState, str] = {"answered": "✓", "failed": "✗", "cancelled": "■"}
_CALL_MARKS: dict[CallState, tuple[str, str]] = {
    "asked": ("·", "dim"),
    "done": ("✓", "green"),
    "failed": ("✗", "red"),
    "handoff": ("→", "blue"),
    "ignored": ("-", "dim"),
}


def render_run(run: RunNode, now: float, *, ids: bool = False) -> Tree:
    """The run and all below it. `ids` adds the Celery task id of every invocation."""
    tree = Tree(render_title(run, now), guide_style="dim", highlight=False)
    if run.input:
        tree.add(_line(("input ", "dim"), clip(text_of(run.input))))
    _add_invocations(tree, run, now, ids)
    if run.outcome is not None:
        tree.add(render_outcome(run))
    return tree


def render_title(run: RunNode, now: float) -> Text:
    """One line: agent, id, state, time, tokens."""
    took = (run.ended_at or now) - run.began_at if run.began_at else 0.0
    return _line(
        (run.name or "run", "bold"),
        (f"  {run.run_id}  ", "dim"),
        (f"{mark_of(run, now)} {run.state}", RUN_STYLES[run.state]),
        (f"  {format_seconds(took)}  {format_tokens(run.usage.total_tokens)}", "dim"),
    )


def render_outcome(run: RunNode) -> Text:
    """One line: how the run ended."""
    assert run.outcome is not None
    return _line((f"{_RUN_MARKS[run.state]} {run.state} ", RUN_STYLES[run.state]), clip(outcome_text(run), 160))


def outcome_text(run: RunNode) -> str:
    """The answer, or the error with its type, as text."""
    if run.outcome is None:
        return ""
    if run.outcome.kind == "answer":
        return clip(run.outcome.output, 10_000)
    error = run.outcome.error or {}
    return f"{error.get('type', 'RunFailed')}: {error.get('message', '')}"


def describe_notice(notice: BudgetNotice) -> str:
    """What there is to say about the budget."""
    facts = f"{notice.spent:g} of {notice.allowed:g} {notice.limit.replace('_', ' ')}"
    return f"budget spent ({facts}): answers once more, without tools" if notice.is_spent else f"budget: {facts} spent"


def mark_of(run: RunNode, now: float) -> str:
    """A tick, a cross, or a spinner's frame."""
    return _RUN_MARKS.get(run.state) or _frame(now)


def _add_invocations(tree: Tree, run: RunNode, now: float, ids: bool) -> None:
    for invocation in run.invocations:
        branch = tree.add(_invocation_line(invocation, now, ids))
        for turn in invocation.turns:
            _add_turn(branch, turn, now, ids)
        for move in invocation.moves:
            _add_move(branch, move, now, ids)
        if invocation.is_lost:
            branch.add(_line(("! its worker fell silent, another took over", "yellow")))
    for notice in run.notices:
        tree.add(_line((f"! {describe_notice(notice)}", "yellow")))
    activity = activity_of(run)
    if activity is not None:
        line = _line((f"{_frame(now)} ", "cyan"), activity.what, (f"  {format_seconds(now - activity.since)}", "dim"))
        tree.add(line)
    if run.writing:
        tree.add(Text(clip(run.writing[-WRITING_SHOWN:], WRITING_SHOWN), style="italic"))


def _invocation_line(invocation: InvocationNode, now: float, ids: bool) -> Text:
    took = format_seconds((invocation.ended_at or now) - invocation.began_at)
    kind = {"tools": "tool ", "flows": "flow "}.get(invocation.task.partition(".")[0], "")
    task = f"task {invocation.task_id}" if invocation.has_task else "in passing"
    where = f"  on {invocation.worker}  {took}" + (f"  {task}" if ids else "")
    return _line((f"step {invocation.step}  ", "dim"), (kind, "dim"), (invocation.name, "bold blue"), (where, "dim"))


def _add_turn(branch: Tree, turn: TurnNode, now: float, ids: bool) -> None:
    took = format_seconds(turn.ended_at - turn.began_at)
    facts = f"  {turn.model or 'model'}  {format_tokens(turn.usage.total_tokens)}  {took}"
    line = branch.add(_line(f"turn {turn.number}", (facts, "dim")))
    if turn.text and turn.calls:
        line.add(_line(("says ", "dim"), clip(turn.text)))
    for call in turn.calls:
        _add_call(line, call, now, ids)


def _add_move(branch: Tree, move: CallNode | Choice, now: float, ids: bool) -> None:
    if isinstance(move, Choice):
        branch.add(_line(("◆ ", "blue"), clip(str(move), 160)))
    else:
        _add_call(branch, move, now, ids)


def _add_call(branch: Tree, call: CallNode, now: float, ids: bool) -> None:
    below = branch.add(_call_line(call, now))
    if call.child is not None:
        _add_invocations(below, call.child, now, ids)


def _call_line(call: CallNode, now: float) -> Text:
    mark, style = _CALL_MARKS.get(call.state, (_frame(now), "cyan"))
    if call.state == "handoff":
        arguments = format_arguments(call.arguments)
        return _line((f"{mark} ", style), "hands over to ", (call.target, "bold"), (f"  {arguments}", "dim"))
    arguments = "" if call.is_member else f"({format_arguments(call.arguments, 50)})"
    line = _line((f"{mark} ", style), call.tool, (arguments, "dim"))
    if call.state == "ignored":
        return line.append("  ignored", style="dim")
    if call.ended_at is None:
        return line.append(f"  {format_seconds(now - call.asked_at)}", style="dim")
    line.append(f"  {format_seconds(call.ended_at - call.asked_at)}", style="dim")
    if call.output:
        line.append(f" → {clip(call.output)}", style="red" if call.state == "failed" else "")
    return line


def _line(*parts: str | tuple[str, str]) -> Text:
    return Text.assemble(*parts, no_wrap=True, overflow="ellipsis")


def _frame(now: float) -> str:
    return FRAMES[int(now * FRAMES_PER_SECOND) % len(FRAMES)]
