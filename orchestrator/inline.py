"""`run_inline`: the same engine in this process, without broker or server, for tests and notebooks."""

from __future__ import annotations

import asyncio
import inspect
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Unpack

from orchestrator.answers import typed_output
from orchestrator.context_binding import ContextBinding, find_context_type
from orchestrator.engine import Engine, Performed
from orchestrator.entries import Decided
from orchestrator.errors import UserError, restore_failure
from orchestrator.hooks import RunHooks
from orchestrator.ledger.base import LedgerSettings, Pointer
from orchestrator.ledger.limits_memory import MemoryLimitStore
from orchestrator.ledger.memory import MemoryLedger
from orchestrator.limiter import Limiter
from orchestrator.loop import background
from orchestrator.perform import perform
from orchestrator.questions import OpenQuestion, find_questions, read_answer_value
from orchestrator.registry import Registry
from orchestrator.renewer import Renewer
from orchestrator.result import RunResult
from orchestrator.run_options import OptionKeywords, make_options, refuse_passed_deadline
from orchestrator.runnable import Runnable
from orchestrator.settings import Settings, load_settings
from orchestrator.side_runs import LocalSideRuns
from orchestrator.state import fold
from orchestrator.submission import new_run

POLL_SECONDS = 0.05

People = Callable[[OpenQuestion], Any]
"""Decides a question: for an approval true, false or the text of a rejection; for other questions the answer."""


def run_inline(agent: Runnable, input: Any, **options: Any) -> RunResult:
    """Run the agent or flow here and wait, with all that it hands over to and calls. Options as for `arun_inline`."""
    return background.run(arun_inline(agent, input, **options))


async def arun_inline(
    agent: Runnable,
    input: Any,
    *,
    context: Any = None,
    hooks: Sequence[RunHooks] = (),
    settings: Settings | None = None,
    people: People | None = None,
    **options: Unpack[OptionKeywords],
) -> RunResult:
    """`run_inline` for async code. Raises what ended the run, as `Run.result` does.

    `people` plays the people who are asked: see `People`. Without it, a run that asks raises `UserError`.
    """
    settings = settings or load_settings()
    registry = Registry()
    registry.add([agent])
    ledger = MemoryLedger(LedgerSettings())
    limiter = Limiter(MemoryLimitStore(), settings.limits, ledger.hasten) if settings.limits else None
    engine = Engine(ledger, registry, settings, Renewer(ledger), run_hooks=hooks, limiter=limiter)

    async def carry_out(pointer: Pointer, worker: str) -> None:
        await _drive(engine, pointer.run_id, [pointer], people)

    engine = replace(engine, side_runs=LocalSideRuns(lambda: engine, carry_out))
    run_id = str(uuid.uuid4())
    chosen = refuse_passed_deadline(make_options(**options))
    new = new_run(
        agent,
        input,
        run_id=run_id,
        settings=settings,
        context=context,
        options=chosen,
    )
    pointer = await ledger.start(new)
    assert pointer is not None
    await _drive(engine, run_id, [pointer], people)
    return await _result(engine, run_id)


async def _drive(engine: Engine, run_id: str, pointers: Sequence[Pointer], people: People | None) -> None:
    """Perform what is queued, side by side, until nothing is."""
    going = {asyncio.ensure_future(_perform(engine, pointer)) for pointer in pointers}
    while going:
        finished, going = await asyncio.wait(going, return_when=asyncio.FIRST_COMPLETED)
        queued = [pointer for task in finished for pointer in task.result().pointers]
        while not going and not queued and await _is_parked(engine, run_id):
            queued = await _ask(engine, run_id, people)
            if queued:
                break
            await asyncio.sleep(POLL_SECONDS)
            if engine.limiter is not None:
                await engine.limiter.look_around()
            queued = await engine.ledger.reconcile(1)
        going |= {asyncio.ensure_future(_perform(engine, pointer)) for pointer in queued}


async def _ask(engine: Engine, run_id: str, people: People | None) -> list[Pointer]:
    """Let people decide what the run asks first, if it asks anything."""
    questions = await find_questions(engine.ledger, run_id)
    if not questions:
        return []
    question = questions[0]
    if people is None:
        raise UserError(
            f"Call `{question.call_id}` of tool `{question.tool}` waits for a person. Give run_inline(people=...) a "
            "function that decides, or submit the run to workers."
        )
    made = people(question)
    said = await made if inspect.isawaitable(made) else made
    decided = _to_decision(question, said, engine.registry)
    return await engine.ledger.decide(question.run_id, decided, decision_id=str(uuid.uuid4()))


def _to_decision(question: OpenQuestion, said: Any, registry: Registry) -> Decided:
    call_id = question.call_id
    if question.kind == "answer":
        return Decided(call_id=call_id, verdict="answered", value=read_answer_value(registry, question, said))
    if said is True:
        return Decided(call_id=call_id, verdict="approved")
    return Decided(call_id=call_id, verdict="rejected", message=said if isinstance(said, str) else None)


async def _is_parked(engine: Engine, run_id: str) -> bool:
    """Whether the run waits for a time, such as that of its next attempt to call the model."""
    summary = await engine.ledger.summary(run_id)
    return summary is not None and summary.status == "parked"


async def _perform(engine: Engine, pointer: Pointer) -> Performed:
    performed = await perform(engine, pointer.run_id, pointer.step, message_id=str(uuid.uuid4()), worker="inline")
    for claim in performed.to_close:
        await engine.ledger.close(claim)
    return performed


async def _result(engine: Engine, run_id: str) -> RunResult:
    state = fold([entry for _, entry in await engine.ledger.entries(run_id)])
    outcome = state.outcome
    assert outcome is not None
    if outcome.kind != "answer":
        raise restore_failure(outcome.error or {"type": "RunFailed", "message": "unknown"}, run_id=run_id)
    agent = engine.registry.find(state.agent)
    assert agent is not None
    binding = ContextBinding(state.context, find_context_type(agent), owner=f"run {run_id}")
    return RunResult(
        run_id=run_id,
        final_output=typed_output(outcome, engine.registry),
        input=state.history,
        new_items=state.new_items(),
        last_agent=state.agent,
        usage=outcome.usage,
        context=binding.value,
    )
