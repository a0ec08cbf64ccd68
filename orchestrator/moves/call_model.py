"""Asks the model for the next turn; a call that failed for a passing reason parks the run until the next attempt."""

from __future__ import annotations

import time
from dataclasses import replace

from orchestrator.active_run import ActiveRun
from orchestrator.budget_keeper import LAST_CALL
from orchestrator.delta_writer import DeltaWriter
from orchestrator.engine import Performed
from orchestrator.entries import Parked, Reply
from orchestrator.errors import MaxTurnsExceeded, ModelUnavailable, RunExpired, UserError, describe_error
from orchestrator.model_call import build_request, pick_model
from orchestrator.model_retry import retry_delay
from orchestrator.models.base import Model, ModelReply, ModelRequest
from orchestrator.models.resolve import wait_until_warm
from orchestrator.moves.pass_limit import pass_limit
from orchestrator.prices import cost_in_micros
from orchestrator.toolbox import Toolbox


async def call_model(run: ActiveRun, toolbox: Toolbox) -> Performed | None:
    """One model call. `None`: the reply is noted, or the run was cancelled or paused before the call."""
    _check_limits(run)
    await wait_until_warm(run.engine.settings)
    if run.recorder.has_unwritten and await run.recorder.write():
        return None
    if run.interrupt.paused:
        return None
    is_last = not run.budget.may_begin()
    permit = await pass_limit(run, toolbox)
    if isinstance(permit, Performed):
        return permit
    try:
        async with permit:
            if run.state.active_turns == 0 and run.state.failed_calls == 0:
                await run.hooks.agent_start()
            await permit.hear(await _ask(run, toolbox, is_last=is_last))
    except ModelUnavailable as error:
        return await _park_until_retry(run, error)
    return None


def _check_limits(run: ActiveRun) -> None:
    options, state = run.state.options, run.state
    if options.max_turns is not None and state.turns >= options.max_turns:
        raise MaxTurnsExceeded(f"The run has had its {options.max_turns} turns (`max_turns`) without an answer.")
    is_first = state.invocations == 1 and state.turns == 0
    if options.expires_at is not None and is_first and time.time() > options.expires_at:
        raise RunExpired("No worker had begun the run by the time given as `expires`.")


async def _ask(run: ActiveRun, toolbox: Toolbox, *, is_last: bool) -> ModelReply:
    model = pick_model(run.agent, run.state.options, run.engine.settings)
    _check_price(run, model)
    request = await build_request(run.agent, run.state, run.context, toolbox, model.name)
    request = _mind_budget(run, request, is_last=is_last)
    await run.hooks.llm_start(request.instructions, request.input)
    reply = await _respond(run, model, request)
    run.note(
        Reply(
            agent=run.agent.name,
            items=reply.items,
            usage=reply.usage,
            model=reply.model,
            response_id=reply.response_id,
            cost_micros=_cost(run, model, reply),
        )
    )
    await run.hooks.llm_end(reply)
    return reply


async def _respond(run: ActiveRun, model: Model, request: ModelRequest) -> ModelReply:
    """The model's reply; shown while it is written if the submit asked for that, or somebody reads along."""
    if not (run.state.options.stream or run.recorder.is_watched):
        return await model.respond(request)
    claim, turn = run.claim, run.state.turns + 1
    writer = DeltaWriter(run.engine.ledger, claim.run_id, agent=run.agent.name, turn=turn, attempt=claim.fence)
    try:
        return await model.respond(request, on_delta=writer.add)
    finally:
        await writer.finish()


def _mind_budget(run: ActiveRun, request: ModelRequest, *, is_last: bool) -> ModelRequest:
    """Tell the agent about its budget. The last call has no tools."""
    words = LAST_CALL if is_last else run.budget.words_for_agent()
    if words is None:
        return request
    request = replace(request, instructions=f"{request.instructions}\n\n{words}" if request.instructions else words)
    if not is_last:
        return request
    settings = request.settings.model_copy(update={"tool_choice": None, "parallel_tool_calls": None})
    return replace(request, tools=(), settings=settings)


def _check_price(run: ActiveRun, model: Model) -> None:
    """Raise `UserError` before a call whose cost could not be counted."""
    budget, prices = run.state.options.budget, run.engine.settings.prices
    if budget is not None and budget.money is not None and prices.find(model.name) is None:
        raise UserError(
            f"The run has a budget of money, and model `{model.name}` of agent `{run.agent.name}` has no price. "
            "Add it to ORCHESTRATOR_PRICES on the workers."
        )


def _cost(run: ActiveRun, model: Model, reply: ModelReply) -> int:
    prices = run.engine.settings.prices
    price = prices.find(model.name) or prices.find(reply.model)
    return cost_in_micros(price, reply.usage) if price else 0


async def _park_until_retry(run: ActiveRun, error: ModelUnavailable) -> Performed:
    max_retries = run.engine.settings.model_max_retries
    delay = retry_delay(error, failed_calls=run.state.failed_calls, max_retries=max_retries)
    if delay is None:
        raise error
    entry = Parked(until=time.time() + delay, error=describe_error(error), context=run.binding.take_patch())
    pointers = await run.recorder.park(entry, note=f"model call again after {error.error_type}")
    return Performed("parked", f"calls the model again in {delay:.1f} s", run.claim, pointers=pointers)
