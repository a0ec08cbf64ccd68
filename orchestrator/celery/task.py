"""The Celery task of an agent, or of a tool with a queue: one message, one invocation."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from celery import Task, states
from celery.exceptions import Ignore, Reject

from orchestrator.celery.message import NewerMessage
from orchestrator.engine import Performed
from orchestrator.entries import Outcome
from orchestrator.errors import LedgerError, OrchestratorError, restore_error
from orchestrator.ledger.base import Claim

if TYPE_CHECKING:
    from orchestrator.celery.runtime import Orchestrator

logger = logging.getLogger(__name__)


class InvocationTask(Task):  # type: ignore[misc]
    """Performs a step, then answers, or ends without a word to the canvas because the run goes on elsewhere."""

    abstract = True
    typing = False  # arguments are checked by read_message, with better words
    acks_late = True
    reject_on_worker_lost = True
    ignore_result = False
    serializer = "json"
    orchestrator: Orchestrator

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """One invocation. What it returns or raises is the run's end; all else is `Ignore`."""
        began = time.monotonic()
        try:
            performed = self.orchestrator.perform(self, args, kwargs)
        except NewerMessage as error:
            logger.error("%s", error)
            raise Ignore(str(error)) from None
        except LedgerError as error:
            # Nothing is known of the run's fate here. Its deadline brings it back.
            logger.error("Invocation %s of `%s` stopped: %s", self.request.id, self.name, error)
            raise Reject(str(error), requeue=False) from error
        self.orchestrator.client.publish(performed.pointers)
        if performed.kind != "ended":
            self._close_row(performed, time.monotonic() - began)
            raise Ignore(performed.note)
        assert performed.outcome is not None
        assert performed.claim is not None
        return self._deliver(performed.claim, performed.outcome)

    def _deliver(self, claim: Claim, outcome: Outcome) -> Any:
        """Give the outcome to Celery's tracer, under the id that the producer holds, too."""
        self.request.delivers = claim
        is_other_id = self.request.id != claim.run_id
        if outcome.kind == "answer":
            if is_other_id:
                self.backend.store_result(claim.run_id, outcome.output, states.SUCCESS, request=None)
            return outcome.output
        error = restore_error(outcome.error or {}, run_id=claim.run_id)
        if is_other_id:
            self.backend.store_result(claim.run_id, error, states.FAILURE, request=None)
        raise error

    def _close_row(self, performed: Performed, runtime: float) -> None:
        """Tell Flower what came of this invocation. Celery itself says nothing of ignored tasks."""
        if self.app.conf.worker_send_task_events or getattr(self.request, "send_events", True):
            self.send_event("task-succeeded", retry=False, result=repr(performed.note), runtime=runtime)

    def on_success(self, retval: Any, task_id: str, args: Any, kwargs: Any) -> None:
        """The tracer has fired everything that follows: the run is done."""
        self._close()

    def on_failure(self, exc: Exception, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """The same for a run that failed. A failed publish inside the tracer leaves the run open."""
        if isinstance(exc, OrchestratorError):
            self._close()

    def _close(self) -> None:
        claim = getattr(self.request, "delivers", None)
        if claim is not None:
            self.orchestrator.close(claim)


def describe_row(task: InvocationTask, kind: str) -> str:
    """The docstring that Flower and `celery inspect` show for a generated task."""
    return f"{kind} of celery-orchestrator, task `{task.name}`."
