"""One invocation of an agent: claim in hand, it moves the run on until it answers, hands over or parks.

The loop: fold the ledger into a state, `decide` the next move, make it, record what came of it. What is
recorded travels with the next script that is needed anyway, so a turn costs one or two round trips.
"""

from __future__ import annotations

from typing import assert_never

from orchestrator.active_run import ActiveRun
from orchestrator.endings import failure_outcome, handled_outcome
from orchestrator.engine import Engine, Performed
from orchestrator.entries import Outcome
from orchestrator.errors import LedgerError
from orchestrator.holding import ended, given_back, hold, missed_deadline, resting
from orchestrator.ledger.base import CancelledMeanwhile, Claim, Fenced
from orchestrator.moves.ask_others import ask_others
from orchestrator.moves.call_model import call_model
from orchestrator.moves.hand_over import hand_over
from orchestrator.moves.run_tools import check_tools, run_tools, take_answers
from orchestrator.toolbox import Toolbox, open_toolbox
from orchestrator.turn import (
    AskOthers,
    CallModel,
    CheckTools,
    Finish,
    HandOver,
    Move,
    RunTools,
    TakeAnswers,
    decide,
)


class Invocation:
    """Moves one run on. Use once."""

    def __init__(self, engine: Engine, claim: Claim) -> None:
        self._run = ActiveRun(engine, claim)

    async def perform(self) -> Performed:
        """Move the run on as far as it goes. Raises `LedgerError` where the ledger cannot be reached."""
        run = self._run
        try:
            performed = await hold(run.engine, run.claim, run.interrupt, self._advance)
            if performed.kind == "ended":
                await run.guards.stop_agents()
            return performed
        finally:
            run.guards.close()

    async def _advance(self) -> Performed:
        run = self._run
        while True:
            if run.interrupt.cancelled:
                return ended(run.claim, await run.recorder.end_cancelled())
            if late := missed_deadline(run.claim):
                return await run.end(failure_outcome(run.state, late, run.binding.take_patch()))
            if run.interrupt.paused:
                return resting(run.claim, await run.recorder.rest(run.binding.take_patch()))
            if run.engine.shutdown.is_stopping:
                return given_back(run.claim, await run.recorder.release())
            try:
                performed = await run.interrupt.run(self._make_moves())
            except (LedgerError, Fenced, CancelledMeanwhile):
                raise
            except Exception as error:
                return await run.end(await self._settle_failure(error))
            if performed is not None:
                return performed

    async def _make_moves(self) -> Performed | None:
        """Moves until one ends the invocation, or there is something to be looked at before the next."""
        run = self._run
        while True:
            await run.guards.check_input()
            performed = await run.guards.beside(self._step())
            has_news = run.interrupt.cancelled or run.interrupt.paused or run.engine.shutdown.is_stopping
            if performed is not None or has_news:
                return performed

    async def _step(self) -> Performed | None:
        run = self._run
        toolbox = await open_toolbox(run.agent, run.context, run.state.options)
        move = decide(run.state, run.agent, toolbox, await run.find_guarded(toolbox))
        await run.guards.let_pass(move)
        return await self._make(move, toolbox)

    async def _make(self, move: Move, toolbox: Toolbox) -> Performed | None:
        match move:
            case CallModel():
                return await call_model(self._run, toolbox)
            case RunTools():
                await run_tools(self._run, move)
            case TakeAnswers():
                await take_answers(self._run, move)
            case CheckTools():
                return await check_tools(self._run, move, toolbox)
            case AskOthers():
                return await ask_others(self._run, move)
            case HandOver():
                return await hand_over(self._run, move)
            case Finish():
                return await self._run.finish(move.output)
            case _:
                assert_never(move)
        return None

    async def _settle_failure(self, error: Exception) -> Outcome:
        run = self._run
        try:
            patch = run.binding.take_patch()
            handled = await handled_outcome(run.state, run.agent, run.context, error, patch)
            if handled is None:
                return failure_outcome(run.state, error, patch)
            await run.hooks.agent_end(handled.output)
            await run.guards.check_output(handled.output)
            return handled
        except Exception as second:
            return failure_outcome(run.state, second)
