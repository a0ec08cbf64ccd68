"""Gets a model call through the fleet's limit: it waits a moment for its turn, or parks the run until then."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Self

from orchestrator.active_run import ActiveRun
from orchestrator.engine import Performed
from orchestrator.entries import Parked
from orchestrator.errors import ModelUnavailable
from orchestrator.ledger.limits import Answer, Ticket
from orchestrator.limiter import Desk
from orchestrator.limits import Limit, check_request, estimate_tokens
from orchestrator.model_call import pick_model
from orchestrator.model_retry import retry_delay
from orchestrator.models.base import ModelReply
from orchestrator.toolbox import Toolbox

PATIENCE_SECONDS = 6.0
"""A longer wait parks the run. More than `CALL_AHEAD_SECONDS`: a run that was called need not park again."""
SPARE_SECONDS = 60.0
"""A parked run is called when its turn is near. If all who could call are gone, its timer wakes it this much later."""
TOO_MANY_REQUESTS = 429


class Permit:
    """The right to make one model call. A context manager around it, which hears how it went."""

    def __init__(self, desk: Desk | None = None, ticket: Ticket | None = None) -> None:
        self._desk = desk
        self._ticket = ticket
        self._tokens: int | None = None

    async def hear(self, reply: ModelReply) -> None:
        """The call's reply: what it took, and whether the server asks everybody to wait."""
        self._tokens = reply.usage.total_tokens
        if self._desk is not None and reply.pause_seconds:
            await self._desk.pause(reply.pause_seconds)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._desk is None or self._ticket is None:
            return
        if isinstance(error, ModelUnavailable):
            self._tokens = 0
            await self._slow_down(error)
        self._desk.give_back(self._ticket, tokens=self._tokens)

    async def _slow_down(self, error: ModelUnavailable) -> None:
        """One call's refusal holds the whole fleet back, so that not every run has to find out by itself."""
        asked = error.data.get("retry_after_seconds")
        if self._desk is not None and (asked is not None or error.data.get("status") == TOO_MANY_REQUESTS):
            await self._desk.pause(retry_delay(error, failed_calls=0, max_retries=1) or 0.0)


async def pass_limit(run: ActiveRun, toolbox: Toolbox) -> Permit | Performed:
    """The permit for the next model call; or the run is parked until it may have one.

    Raises `LimitCannotBeMet` for a call that is larger than a whole minute's tokens.
    """
    limiter = run.engine.limiter
    if limiter is None:
        return Permit()
    limit = limiter.find(pick_model(run.agent, run.state.options, run.engine.settings).name)
    if limit is None:
        return Permit()
    desk, ticket = limiter.desk(limit), _ticket(run, toolbox, limit)
    while True:
        answer = await _ask(run, desk, ticket)
        if answer.is_granted:
            await _wait_for_start(desk, ticket, answer)
            return Permit(desk, ticket)
        if await desk.park(ticket, seconds=answer.seconds + SPARE_SECONDS):
            return await _park(run, desk, ticket, limit, answer)


def _ticket(run: ActiveRun, toolbox: Toolbox, limit: Limit) -> Ticket:
    state, options = run.state, run.state.options
    tokens = 0
    if limit.tokens_per_minute or limit.per_tenant.tokens_per_minute:
        tokens = _estimate(run, toolbox)
        check_request(limit, tokens, options.tenant)
    return Ticket(
        id=f"{run.claim.run_id}/{state.turns}.{state.failed_calls}",
        owner=f"{run.claim.run_id}/{run.claim.fence}",
        run_id=run.claim.run_id,
        step=run.claim.step,
        tenant=options.tenant,
        tokens=tokens,
        priority=options.priority or 0,
    )


def _estimate(run: ActiveRun, toolbox: Toolbox) -> int:
    instructions = run.agent.instructions
    settings = run.state.options.model_settings, run.agent.model_settings
    given = [setting.max_tokens for setting in settings if setting is not None and setting.max_tokens is not None]
    return estimate_tokens(
        [*run.state.conversation(), *toolbox.specs()],
        instructions=instructions if isinstance(instructions, str) else "",
        max_tokens=given[0] if given else None,
    )


async def _ask(run: ActiveRun, desk: Desk, ticket: Ticket) -> Answer:
    try:
        return await desk.ask(ticket, patience_seconds=PATIENCE_SECONDS)
    except asyncio.CancelledError:
        if run.interrupt.cancelled:
            desk.give_back(ticket)  # else another worker goes on with the run, in the place that it has
        raise


async def _wait_for_start(desk: Desk, ticket: Ticket, answer: Answer) -> None:
    try:
        await asyncio.sleep(answer.seconds)
    except asyncio.CancelledError:
        desk.give_back(ticket)
        raise


async def _park(run: ActiveRun, desk: Desk, ticket: Ticket, limit: Limit, answer: Answer) -> Performed:
    until = time.time() + answer.seconds + SPARE_SECONDS
    entry = Parked(until=until, limit=limit.name, context=run.binding.take_patch())
    try:
        pointers = await run.recorder.park(entry, note=f"turn at the limit of {limit.name}")
    except BaseException:
        desk.give_back(ticket)  # it was cancelled, say
        raise
    note = f"waits for the limit of {limit.name}, about {answer.seconds:.0f} s"
    return Performed("parked", note, run.claim, pointers=pointers)
