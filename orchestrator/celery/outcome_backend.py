"""The result backend as Celery's tracer sees it around an invocation: a run has one result, an outage is no failure.

A run's result is stored under the run's id, which is the task id of its first step and the one that producers hold. Of
a later step's own id nothing is stored, nor of a run whose parent has its outcome from the ledger: nobody asks for
these, and they would be the most of what a worker stores.

Celery takes an error of its own, in storing a result or counting a chord's part, for the task's failure. Of a run, the
outcome is in the ledger: it stays open, and is delivered again when its lease lapses.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from celery import states
from celery.backends.base import BackendStoreError
from kombu.exceptions import OperationalError

from orchestrator.celery.message import POINTER_ARGUMENT
from orchestrator.errors import OrchestratorError
from orchestrator.ledger.base import Claim
from orchestrator.run_ids import root_of

logger = logging.getLogger(__name__)


class OutcomeBackend:
    """Celery's backend, with other words for what the tracer says. All else is the backend's own."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def store_result(self, task_id: str, result: Any, state: str, *args: Any, **options: Any) -> Any:
        """Store a result. That a task has started need not be known."""
        if state == states.STARTED and not _is_asked_for(options.get("request")):
            return result
        try:
            return self._backend.store_result(task_id, result, state, *args, **options)
        except Exception as error:
            if state != states.STARTED or not self._is_interruption(error):
                raise
            logger.warning("Cannot say that task %s has started: %r", task_id, error)
            return result

    def mark_as_done(
        self, task_id: str, result: Any, request: Any = None, store_result: bool = True, **options: Any
    ) -> None:
        """Store an answer and count it. What an invocation says whose run goes on elsewhere is no answer."""
        if getattr(request, "is_passed_on", False):
            return
        with self._leaving_open(request):
            place = _result_place(task_id, request)
            store_result = store_result and place.is_asked_for
            self._backend.mark_as_done(place.id, result, request, store_result, **options)
            if self._is_claim_left(request):
                _leave_open(request, "its chord's body is claimed by a count whose answer was lost")

    def mark_as_failure(
        self,
        task_id: str,
        exc: BaseException,
        traceback: Any = None,
        request: Any = None,
        store_result: bool = True,
        **options: Any,
    ) -> None:
        """Store a failure and count it. A publish that failed in the tracer is none."""
        with self._leaving_open(request):
            if self._is_interruption(exc):
                raise exc
            place = _result_place(task_id, request)
            store_result = store_result and place.is_asked_for
            self._backend.mark_as_failure(place.id, exc, traceback, request, store_result=store_result, **options)

    @contextmanager
    def _leaving_open(self, request: Any) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if not self._is_interruption(error):
                raise
            _leave_open(request, repr(error))

    def _is_interruption(self, error: BaseException) -> bool:
        classes = (*self._classes("connection_errors"), *self._classes("channel_errors"))
        known = (OperationalError, BackendStoreError, OSError, *classes)
        return isinstance(error, known) and not isinstance(error, OrchestratorError)

    def _classes(self, name: str) -> tuple[type[BaseException], ...]:
        return tuple(getattr(self._backend, name, ()))

    def _is_claim_left(self, request: Any) -> bool:
        """Whether somebody claims the chord's body now, after we counted as the last: see docs/protocol.md, section 6.

        redis-py repeats a question whose answer was lost. The second time, Celery's script finds its own claim.
        """
        if not request or not request.chord or not request.group or not hasattr(self._backend, "client"):
            return False
        claim = self._backend.client.get(self._backend.get_key_for_group(request.group, ".c"))
        return claim not in (None, b"done", "done")


def _is_asked_for(request: Any) -> bool:
    """Whether the message is of a run that somebody has submitted, and of its first step."""
    pointer = (getattr(request, "kwargs", None) or {}).get(POINTER_ARGUMENT)
    if not isinstance(pointer, Mapping):
        return True
    return bool(pointer.get("id") == request.id == root_of(request.id))


class _Place(NamedTuple):
    """Where a task's result is stored, if anywhere."""

    id: str
    is_asked_for: bool


def _result_place(task_id: str, request: Any) -> _Place:
    claim: Claim | None = getattr(request, "delivers", None)
    return _Place(task_id, True) if claim is None else _Place(claim.run_id, claim.parent is None)


def _leave_open(request: Any, reason: str) -> None:
    logger.error("Task %s cannot be delivered, its run is delivered again soon: %s", request and request.id, reason)
    if request:
        request.delivers = None
