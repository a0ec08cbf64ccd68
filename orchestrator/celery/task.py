"""The Celery task of an agent, or of a tool with a queue: one message, one invocation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from celery import Task
from celery.exceptions import Ignore, Reject

from orchestrator.celery.in_passing import deliver_in_passing
from orchestrator.celery.message import refuse_without_input
from orchestrator.celery.outcome_backend import OutcomeBackend
from orchestrator.celery.schedules import run_id_of_tick
from orchestrator.celery.tracer import wait_for
from orchestrator.engine import Performed
from orchestrator.entries import Outcome
from orchestrator.errors import LedgerError, NewerVersion, OrchestratorError, RunCancelled, UserError, restore_error
from orchestrator.ledger.base import Claim, Fenced, Pointer

if TYPE_CHECKING:
    from orchestrator.celery.runtime import Orchestrator

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""How long a worker waits before it gives a message back because the ledger cannot be reached."""


class InvocationTask(Task):  # type: ignore[misc]
    """Performs a step, then answers, or ends without a word to the canvas because the run goes on elsewhere."""

    abstract = True
    Strategy = "orchestrator.celery.strategy:invocation_strategy"
    typing = False  # arguments are checked by read_message, with better words
    acks_late = True
    reject_on_worker_lost = True
    throws = (RunCancelled,)
    """What somebody asked for is no error in a worker's log."""
    ignore_result = False
    serializer = "json"
    orchestrator: Orchestrator

    @property
    def backend(self) -> Any:
        """The app's, so that an outage while an outcome is delivered does not count as the run's failure."""
        return OutcomeBackend(self.app.backend)

    def apply_async(
        self,
        args: Any = None,
        kwargs: Any = None,
        task_id: str | None = None,
        *positional: Any,
        tick: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """As Celery's. `tick` comes from a schedule: whoever sends the message of one tick, it is one run.

        Raises `InvalidInput` where a producer sends it, at the head of a canvas say, and gives it no input: nobody
        would tell a group behind it that it has failed.
        """
        if self.app.current_worker_task is None:  # else the tracer may be sending it, and takes no refusal
            refuse_without_input(self.name, args or (), kwargs or {})
        if tick is not None:
            task_id = run_id_of_tick(tick, self.app.now())
        return super().apply_async(args, kwargs, task_id, *positional, **options)

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """One invocation. What it returns or raises is the run's end, unless the run goes on elsewhere."""
        if self.request.called_directly or self.request.is_eager:
            raise UserError(
                f"`{self.name}` runs on workers only: a run goes on in other tasks. Here, use run_inline()."
            )
        performed = self.request.get("performed")
        if not isinstance(performed, Performed):  # a user's header might be called so
            performed = self._perform(args, kwargs)
        self._publish(performed.pointers)
        self.request.ended_flows = performed.ended_flows
        if performed.kind != "ended":
            return self._pass_on(performed.note)
        assert performed.outcome is not None
        assert performed.claim is not None
        self.request.is_done = performed.is_done
        return self._deliver(performed.claim, performed.outcome)

    def _perform(self, args: Any, kwargs: Any) -> Performed:
        try:
            return self.orchestrator.perform(self, args, kwargs)
        except NewerVersion as error:
            logger.error("Invocation %s of `%s` is left to other workers: %s", self.request.id, self.name, error)
            raise Ignore(str(error)) from None
        except LedgerError as error:
            logger.error("Invocation %s of `%s` stopped, to be tried again: %s", self.request.id, self.name, error)
            wait_for(asyncio.sleep(RETRY_SECONDS))
            raise Reject(str(error), requeue=True) from error

    def _publish(self, pointers: list[Pointer]) -> None:
        """Send what the ledger has queued. If that fails the run is as well as before: its deadline publishes it."""
        try:
            self.orchestrator.client.publish(pointers)
        except Exception:
            logger.exception("Publishing the next steps of %s failed; they are published again soon", self.request.id)

    def _deliver(self, claim: Claim, outcome: Outcome) -> Any:
        """Give the outcome to Celery's tracer; `OutcomeBackend` stores it under the run's id."""
        self.request.delivers = claim
        if outcome.kind == "answer":
            return outcome.output
        raise restore_error(outcome.error or {}, run_id=claim.run_id)

    def _pass_on(self, note: str) -> str:
        """End with a few words for people, of which nothing reaches the canvas.

        Not by `Ignore`, for whose traceback Celery takes 3 ms (ADR 0016).
        """
        if not note:
            raise Ignore("done, or being done, by another message")
        self.request.update(chain=None, chord=None, callbacks=None, errbacks=None, is_passed_on=True)
        return note

    def on_success(self, retval: Any, task_id: str, args: Any, kwargs: Any) -> None:
        """The tracer has fired everything that follows: the run is done."""
        self._close()

    def on_failure(self, exc: Exception, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """The same for a run that failed. A failed publish inside the tracer leaves the run open."""
        if isinstance(exc, OrchestratorError):
            self._close()

    def after_return(self, status: str, retval: Any, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """The run is dealt with: flows that have ended with it have their turn."""
        for flow in self.request.get("ended_flows", ()):
            deliver_in_passing(self, flow)

    def _close(self) -> None:
        claim = getattr(self.request, "delivers", None)
        if claim is None or self.request.is_done:
            return
        try:
            self.orchestrator.close(claim)
        except (Fenced, LedgerError) as error:
            # Another worker delivers, or will when the lease lapses.
            logger.warning("Run %s is delivered, but not closed: %s", claim.run_id, error)
