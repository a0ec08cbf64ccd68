"""A flow's step that is one of the user's own Celery tasks: sent once, then looked for until it has ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from orchestrator.combinators.base import Member
from orchestrator.combinators.step import Step
from orchestrator.combinators.values import as_text, to_json
from orchestrator.engine import Engine, TaskResult, TaskRunner
from orchestrator.entries import Entry, Output, Parked
from orchestrator.errors import UserError, describe_error
from orchestrator.ledger.base import Claim

FIRST_LOOK_SECONDS = 0.5
MAX_LOOK_SECONDS = 60.0


async def look_for_result(engine: Engine, claim: Claim, member: Member) -> Output | Parked:
    """The task's output, or how long the run sleeps until it looks again. The first time, the task is sent.

    Raises `UserError` where there is no Celery.
    """
    node, at = member.node, member.at
    assert isinstance(node, Step)
    runner, task_id = _runner_of(engine, node), f"{claim.run_id}.task"
    looks = _count_looks(claim.entries)
    # A step that has slept has sent its task. Else it may have, and its worker died: the id is the same.
    result = await asyncio.to_thread(runner.find_result, task_id)
    if result is None and looks == 0:
        given, queue = to_json(node.input(at)), engine.registry.flow(claim.task.partition(".")[2]).queue
        await asyncio.to_thread(runner.start, node.work, given, task_id, run_id=claim.run_id, queue=queue)
    if result is None:
        return Parked(until=time.time() + min(FIRST_LOOK_SECONDS * 2**looks, MAX_LOOK_SECONDS))
    return _to_output(at.place, node.label, result)


def _runner_of(engine: Engine, step: Step) -> TaskRunner:
    if engine.tasks is None:
        raise UserError(f"Step `{step.label}` is a Celery task: run the flow on workers, or evaluate() it.")
    return engine.tasks


def _count_looks(entries: Sequence[Entry]) -> int:
    return sum(isinstance(entry, Parked) for entry in entries)


def _to_output(place: str, label: str, result: TaskResult) -> Output:
    if result.error is None:
        return Output(call_id=place, tool=label, output=as_text(result.value), value=to_json(result.value))
    described = describe_error(result.error)
    return Output(call_id=place, tool=label, output=described["message"], value=described, failed=True)
