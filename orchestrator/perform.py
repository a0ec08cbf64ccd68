"""Performs the step that a message points to: claims the run, then invokes its agent, flow or queued tool."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from orchestrator.endings import failure_outcome
from orchestrator.engine import STALE, Engine, Performed
from orchestrator.errors import LedgerError, OrchestratorError
from orchestrator.exchange import exchange_of
from orchestrator.flow_invocation import FlowInvocation
from orchestrator.holding import is_of_session
from orchestrator.invocation import Invocation
from orchestrator.ledger.base import Claim, NewRun, Pointer
from orchestrator.queued_tool import QueuedTool
from orchestrator.state import fold


async def perform(
    engine: Engine, run_id: str, step: int, *, message_id: str, worker: str, new: NewRun | None = None
) -> Performed:
    """Move a run on. `worker` is the name that people know this process by; `new` creates the run first.

    Raises `LedgerError` when the ledger cannot be reached: the message must then be kept, or the run
    is taken up again when its deadline passes.
    """
    claim = await engine.ledger.claim(run_id, step, message_id=message_id, worker=worker, new=new)
    if claim is None:
        return await _pass_by(engine, run_id, step)
    if claim.damage is not None and claim.outcome is None:
        return await _refuse(engine, claim, claim.damage)
    try:
        invocation = _invocation_of(engine, claim)
    except OrchestratorError as error:
        return await _refuse(engine, claim, error)
    return await invocation.perform()


def _invocation_of(engine: Engine, claim: Claim) -> Invocation | FlowInvocation | QueuedTool:
    match claim.task.partition(".")[0]:
        case "tools":
            return QueuedTool(engine, claim)
        case "flows":
            return FlowInvocation(engine, claim)
    return Invocation(engine, claim)


async def start_next_members(engine: Engine, pointers: Sequence[Pointer], *, worker: str) -> list[Pointer]:
    """Let flows that a member's end has woken start their next members here, without a message of their own.

    What is left to be published. Should this process die meanwhile, the flow's step is published after the grace.
    """
    left = []
    for pointer in pointers:
        kind, _, name = pointer.task.partition(".")
        is_ours = kind == "flows" and pointer.step > 1 and pointer.queue is None and name in engine.registry.flows
        left += await _pass_through(engine, pointer, worker) if is_ours else [pointer]
    return left


async def _pass_through(engine: Engine, pointer: Pointer, worker: str) -> list[Pointer]:
    message_id = f"in-passing/{uuid.uuid4()}"
    try:
        claim = await engine.ledger.claim(
            pointer.run_id, pointer.step, message_id=message_id, worker=worker, in_passing=True
        )
        if claim is None or claim.outcome is not None:
            return []
        return await _start_members(engine, claim)
    except LedgerError:
        return [pointer]


async def _start_members(engine: Engine, claim: Claim) -> list[Pointer]:
    try:
        performed = await FlowInvocation(engine, claim, in_passing=True).perform()
    except OrchestratorError as error:
        if isinstance(error, LedgerError):
            raise
        return await engine.ledger.release(claim, claim.size, [])  # its own task says what is wrong
    return performed.pointers


async def _refuse(engine: Engine, claim: Claim, error: OrchestratorError) -> Performed:
    """End a run that cannot even begin here: its log is damaged, say, or its context of the wrong type."""
    outcome = failure_outcome(fold(claim.entries), error)
    exchange = exchange_of(claim.entries) if is_of_session(claim) else None
    outcome, pointers = await engine.ledger.end(claim, claim.size, [], outcome, exchange=exchange)
    return Performed("ended", outcome.kind, claim, outcome, pointers)


async def _pass_by(engine: Engine, run_id: str, step: int) -> Performed:
    """Leave a step that is not ours to take.

    A later step shows that this one is over, though its worker may have died before it could say so. Of the
    current step nothing is said: it may have failed, or may fail yet.
    """
    summary = await engine.ledger.summary(run_id)
    is_over = summary is not None and summary.step > step
    return Performed("stale", "done before, by another message") if is_over else STALE
