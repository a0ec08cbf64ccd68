"""Performs the step that a message points to: claims the run, then invokes its agent, flow or queued tool."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.endings import failure_outcome
from orchestrator.engine import STALE, Engine, Performed
from orchestrator.errors import LedgerError, OrchestratorError
from orchestrator.exchange import exchange_of
from orchestrator.flow_invocation import FlowInvocation
from orchestrator.holding import ended, is_of_session
from orchestrator.invocation import Invocation
from orchestrator.ledger.base import Claim, Fenced, NewRun
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
    return await _go_on_with_flows(engine, await invocation.perform())


def _invocation_of(engine: Engine, claim: Claim) -> Invocation | FlowInvocation | QueuedTool:
    match claim.task.partition(".")[0]:
        case "tools":
            return QueuedTool(engine, claim)
        case "flows":
            return FlowInvocation(engine, claim)
    return Invocation(engine, claim)


async def _go_on_with_flows(engine: Engine, performed: Performed) -> Performed:
    """Move on the flow that a run's end has woken, and the flow that wakes with the end of that one, and so on."""
    pointers, ended_flows, woken = list(performed.pointers), [], performed.woken
    while woken is not None:
        moved = await _go_on_in_passing(engine, woken)
        pointers += moved.pointers
        ended_flows += [replace(moved, pointers=[])] if moved.kind == "ended" else []
        woken = moved.woken
    return replace(performed, pointers=pointers, ended_flows=ended_flows, woken=None)


async def _go_on_in_passing(engine: Engine, claim: Claim) -> Performed:
    """Let a flow that a member's end has woken start its next members here, or end, without a message of its own.

    Should this process die meanwhile, or the ledger be out of reach, the flow's step is published after the grace, or,
    once the flow has ended, after the lease.
    """
    try:
        if claim.damage is None and (flow := _read_flow(engine, claim)):
            return await flow.perform()
        pointers = await engine.ledger.release(claim, claim.size, [])  # its own task says what is wrong
        return Performed("released", "", claim, pointers=pointers)
    except (LedgerError, Fenced):
        return STALE


def _read_flow(engine: Engine, claim: Claim) -> FlowInvocation | None:
    try:
        return FlowInvocation(engine, claim)
    except OrchestratorError:
        return None


async def _refuse(engine: Engine, claim: Claim, error: OrchestratorError) -> Performed:
    """End a run that cannot even begin here: its log is damaged, say, or its context of the wrong type."""
    outcome = failure_outcome(fold(claim.entries), error)
    exchange = exchange_of(claim.entries) if is_of_session(claim) else None
    return ended(claim, await engine.ledger.end(claim, claim.size, [], outcome, exchange=exchange))


async def _pass_by(engine: Engine, run_id: str, step: int) -> Performed:
    """Leave a step that is not ours to take.

    A later step, or a member's answer, shows that this one is over, though its worker may have died before it could
    say so. Of the current step nothing else is said: it may have failed, or may fail yet.
    """
    summary = await engine.ledger.summary(run_id)
    if summary is None:
        return STALE
    is_answered = summary.parent and summary.status == "done" and summary.outcome and summary.outcome.kind == "answer"
    return Performed("stale", "done before, by another message") if summary.step > step or is_answered else STALE
