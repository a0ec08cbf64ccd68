"""Steps that the ledger suites share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from orchestrator.entries import ChildEnded, HandedOff, Outcome, Output, Parked, Reply, RunInput, Started
from orchestrator.ledger.base import Claim, Ledger, NewRun, Pointer
from orchestrator.run_ids import child_id

ANSWER = Outcome(kind="answer", output="done", agent="triage")


def new_run(run_id: str = "run", *, digest: str = "d1", text: str = "hi", **fields: Any) -> NewRun:
    entry = RunInput(agent="triage", items=[{"role": "user", "content": text}])
    return NewRun(run_id=run_id, task="agents.triage", digest=digest, entry=entry, **fields)


def new_child(parent: str, call_id: str, **fields: Any) -> NewRun:
    return new_run(child_id(parent, call_id), parent=(parent, call_id), **fields)


def reply(text: str = "hm") -> Reply:
    return Reply(agent="triage", items=[{"type": "message", "content": text}])


def started(call_id: str) -> Started:
    return Started(call_id=call_id, tool="refund")


def output(call_id: str) -> Output:
    return Output(call_id=call_id, tool="refund", output="ok")


async def claim(ledger: Ledger, run_id: str = "run", step: int = 1, *, message: str = "m1", **options: Any) -> Claim:
    """Claim a step that is there to be claimed."""
    claimed = await ledger.claim(run_id, step, message_id=message, worker="w1", **options)
    assert claimed is not None
    return claimed


async def start_and_claim(ledger: Ledger, run_id: str = "run", **fields: Any) -> Claim:
    await ledger.start(new_run(run_id, **fields))
    return await claim(ledger, run_id)


async def hand_over(ledger: Ledger, claimed: Claim, *, queue: str | None = "slow") -> list[Pointer]:
    """Hand the run over to the billing agent."""
    entries = [reply(), HandedOff(source="triage", target="billing", outputs=[])]
    return await ledger.hand_over(claimed, claimed.size, entries, task="agents.billing", queue=queue, note="bills")


async def park(ledger: Ledger, claimed: Claim, *calls: str, timer_at: float | None = None) -> list[Pointer]:
    """Park the run on one child a call."""
    children = [new_child(claimed.run_id, call_id) for call_id in calls]
    waits = {call_id: child.run_id for call_id, child in zip(calls, children, strict=True)}
    entries = [reply(), Parked(waits=waits)]
    return await ledger.park(claimed, claimed.size, entries, children=children, note="asks", timer_at=timer_at)


async def end_child(ledger: Ledger, parent: str, call_id: str, outcome: Outcome = ANSWER) -> list[Pointer]:
    """Run a parked run's child to its end."""
    child = await claim(ledger, child_id(parent, call_id))
    return (await ledger.end(child, child.size, [], outcome)).pointers


async def log_types(ledger: Ledger, run_id: str = "run") -> list[str]:
    return [entry.type for _, entry in await ledger.entries(run_id)]


async def child_reports(ledger: Ledger, run_id: str = "run") -> list[tuple[str, str]]:
    """Call id and kind of outcome of every child that has reported to the run."""
    entries = [entry for _, entry in await ledger.entries(run_id)]
    return [(entry.call_id, entry.outcome.kind) for entry in entries if isinstance(entry, ChildEnded)]


async def until(condition: Callable[[], Awaitable[Any]], *, seconds: float = 60.0) -> Any:
    """The first true answer of the condition."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = await condition()
        if answer:
            return answer
        await asyncio.sleep(0.02)
    raise AssertionError("the condition has not come true")
