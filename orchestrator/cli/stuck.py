"""Finds runs that are stuck, from what the ledger and the workers say: pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from orchestrator.cli.checks import Check
from orchestrator.ledger.base import RunSummary
from orchestrator.run_ids import root_of

OVERDUE_SECONDS = 10.0
"""A living worker moves an overdue run on within a second or two."""
POISON_REMEDY = (
    "Look for its end in the workers' logs: memory limit, or a tool that ends the process. Submit again under a new id."
)


@dataclass(frozen=True)
class Scene:
    """What runs depend on, at one moment."""

    now: float
    loaded: Mapping[str, Sequence[str]]
    """Task to the live workers that have loaded it."""
    taken: Set[str]
    """Queues that workers take from."""
    default_queue: str

    def queue_of(self, run: RunSummary) -> str:
        return run.queue or self.default_queue


@dataclass(frozen=True)
class Waiting:
    """A run as it waits: `deadline` is when a worker moves it on, `others` the runs that it waits for by call."""

    run: RunSummary
    deadline: float | None
    others: Mapping[str, RunSummary | None]
    """`None`: not in the ledger."""


def find_stuck(found: Sequence[Waiting], scene: Scene) -> Iterator[Check]:
    """What does not go on by itself, each with its remedy."""
    yield from _overdue(found, scene)
    yield from _queued_for_nobody(found, scene)
    for waiting in found:
        if check := lost_wait(waiting):
            yield check
    poisoned = [waiting.run for waiting in found if is_poisoned(waiting.run)]
    if poisoned:
        text = f"{_count(poisoned)} given up because their worker died each time, the latest: {poisoned[0].run_id}"
        yield Check("poison", "note", text, POISON_REMEDY)


def is_poisoned(run: RunSummary) -> bool:
    """Whether the run was given up as one that kills its workers."""
    return bool(run.outcome and (run.outcome.error or {}).get("type") == "RunPoisoned")


def why_nobody_takes(run: RunSummary, scene: Scene) -> tuple[str, str] | None:
    """Why a queued run stays queued, and the remedy. `None`: somebody takes it."""
    if not scene.loaded.get(run.task):
        return f"no worker has loaded `{run.task}`", "Start a worker whose app loads it, under this name."
    if (queue := scene.queue_of(run)) not in scene.taken:
        return f"no worker takes from the queue `{queue}`", f"Start one: orchestrator worker -Q {queue}"
    return None


def lost_wait(waiting: Waiting) -> Check | None:
    """A parked run that nothing will wake."""
    run, others = waiting.run, waiting.others
    if run.status != "parked" or waiting.deadline is not None or not others or len(others) < len(run.waits):
        return None
    if any(other is None or other.status != "done" for other in others.values()):
        gone = [run.waits[call_id] for call_id, other in others.items() if other is None]
        if len(gone) < len(others):
            return None
        text = f"waits for {', '.join(gone)}, which the ledger does not know"
    else:
        text = "waits for runs that have all ended"
    return Check(run.run_id, "problem", text, f"End it: orchestrator cancel {run.run_id}. Then submit it again.")


def child_waits(run: RunSummary) -> dict[str, str]:
    """The runs that a run waits for, by call. Other waits, a person's decision, say, are left out."""
    return {call_id: other for call_id, other in run.waits.items() if root_of(other) == root_of(run.run_id)}


def _overdue(found: Sequence[Waiting], scene: Scene) -> Iterator[Check]:
    late = [
        (scene.now - waiting.deadline, waiting.run)
        for waiting in found
        if waiting.deadline is not None and scene.now - waiting.deadline > OVERDUE_SECONDS
    ]
    if late:
        seconds, run = max(late, key=lambda pair: pair[0])
        text = f"{_count(late)} overdue and moved on by no worker, the oldest, {run.run_id}, for {seconds:.0f} s"
        remedy = "Start a worker of this app. If one is up, its log says why it does not reach the ledger."
        yield Check("overdue", "problem", text, remedy)


def _queued_for_nobody(found: Sequence[Waiting], scene: Scene) -> Iterator[Check]:
    stuck: dict[tuple[str, str], list[RunSummary]] = defaultdict(list)
    for waiting in found:
        if waiting.run.status == "queued" and (why := why_nobody_takes(waiting.run, scene)):
            stuck[why].append(waiting.run)
    for (reason, remedy), runs in stuck.items():
        yield Check("queued", "problem", f"{_count(runs)} queued, but {reason}; the first: {runs[0].run_id}", remedy)


def _count(runs: Sequence[object]) -> str:
    return "1 run is" if len(runs) == 1 else f"{len(runs)} runs are"
