"""Says of one run where it is, what moves it on, and what to do if nothing does: pure."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.cli.checks import Check
from orchestrator.cli.console import as_text, clip
from orchestrator.cli.stuck import (
    OVERDUE_SECONDS,
    POISON_REMEDY,
    Scene,
    Waiting,
    is_poisoned,
    lost_wait,
    why_nobody_takes,
)
from orchestrator.entries import Outcome
from orchestrator.ledger.base import RunSummary


def explain_run(waiting: Waiting, worker: str | None, scene: Scene) -> Iterator[Check]:
    """`worker`: who claimed the run last."""
    run = waiting.run
    if run.outcome is not None:
        yield from _explain_end(run, run.outcome, waiting, scene)
    elif run.status == "queued":
        yield from _explain_queued(run, waiting, scene)
    elif run.status == "running":
        yield _explain_running(run, waiting, worker, scene)
    else:
        yield from _explain_parked(run, waiting, scene)
    if run.cancel and run.outcome is None:
        yield Check("cancel", "note", "somebody has cancelled it; it ends at its next step")


def _explain_end(run: RunSummary, outcome: Outcome, waiting: Waiting, scene: Scene) -> Iterator[Check]:
    error = (outcome.error or {}).get("message", "")
    text = f"{outcome.kind}: {clip(as_text(outcome.output) or error, 200)}"
    yield Check("ended", "ok" if outcome.kind == "answer" else "note", text, POISON_REMEDY if is_poisoned(run) else "")
    if run.status != "done":
        when = _in(waiting.deadline, scene)
        yield Check("delivery", "note", f"Celery has not confirmed what follows; delivered again {when}")


def _explain_queued(run: RunSummary, waiting: Waiting, scene: Scene) -> Iterator[Check]:
    queue = scene.queue_of(run)
    yield Check("queued", "ok", f"step {run.step}, for `{run.task}` in queue `{queue}`, {_since(run, scene)}")
    if why := why_nobody_takes(run, scene):
        yield Check("worker", "problem", *why)
    else:
        workers = ", ".join(scene.loaded[run.task])
        text = f"{workers} will take it; its message is published again {_in(waiting.deadline, scene)}"
        yield Check("worker", "ok", text)
    yield from _explain_overdue(waiting, scene)


def _explain_running(run: RunSummary, waiting: Waiting, worker: str | None, scene: Scene) -> Check:
    text = f"step {run.step}, `{run.task}` on {worker or 'an unknown worker'}, claim {run.tries}, {_since(run, scene)}"
    is_live = any(worker in workers for workers in scene.loaded.values())
    if is_live:
        return Check("running", "ok", f"{text}; its lease is good {_for(waiting.deadline, scene)}")
    takeover = f"that worker is gone; another one takes over {_in(waiting.deadline, scene)}"
    remedy = "" if any(scene.loaded.values()) else "Start a worker: none is up."
    return Check("running", "problem" if remedy else "note", f"{text}; {takeover}", remedy)


def _explain_parked(run: RunSummary, waiting: Waiting, scene: Scene) -> Iterator[Check]:
    if waiting.deadline is not None:
        yield Check("parked", "ok", f"goes on {_in(waiting.deadline, scene)}, {_since(run, scene)}")
    for call_id, target in run.waits.items():
        other = waiting.others.get(call_id)
        state = f"{other.status}, `{other.task}`: orchestrator doctor {target}" if other else "not a run in the ledger"
        yield Check("parked", "ok" if other else "note", f"waits for {target} ({state})")
    if check := lost_wait(waiting):
        yield Check("lost", check.state, check.text, check.remedy)
    elif waiting.deadline is None and not run.waits:
        remedy = f"End it: orchestrator cancel {run.run_id}. Then submit it again."
        yield Check("lost", "problem", "waits for nothing, and nothing will wake it", remedy)
    yield from _explain_overdue(waiting, scene)


def _explain_overdue(waiting: Waiting, scene: Scene) -> Iterator[Check]:
    if waiting.deadline is not None and scene.now - waiting.deadline > OVERDUE_SECONDS:
        text = f"overdue for {scene.now - waiting.deadline:.0f} s: no worker moves runs on"
        yield Check("overdue", "problem", text, "Start a worker of this app, or see in its log what keeps it.")


def _since(run: RunSummary, scene: Scene) -> str:
    return f"since {max(0.0, scene.now - run.updated_at):.0f} s"


def _in(deadline: float | None, scene: Scene) -> str:
    return "soon" if deadline is None or deadline <= scene.now else f"in {deadline - scene.now:.0f} s"


def _for(deadline: float | None, scene: Scene) -> str:
    return f"for {max(0.0, (deadline or scene.now) - scene.now):.0f} s"
