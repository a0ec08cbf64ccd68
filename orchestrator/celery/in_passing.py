"""Delivers the outcome of a flow that has ended in a member's task: by Celery's own tracer, without a message."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from celery.app.trace import trace_task
from celery.states import FAILURE
from celery.utils.saferepr import saferepr

from orchestrator.celery.publish import make_step_message
from orchestrator.engine import Performed
from orchestrator.ledger.base import Claim, Pointer

if TYPE_CHECKING:
    from orchestrator.celery.task import InvocationTask

logger = logging.getLogger(__name__)


def deliver_in_passing(member: InvocationTask, flow: Performed) -> None:
    """Trace the flow's task as if its step's message had come to this worker. Called inside the member's task.

    Result, callbacks, chain, chord, signals and log lines are the tracer's, and Flower hears of a task. If anything
    fails, the run stays open, and is delivered by a message when its lease lapses.
    """
    assert flow.claim is not None
    try:
        _trace(member, flow, flow.claim)
    except Exception:
        logger.exception("Run %s has ended but cannot be delivered here, it is delivered soon", flow.claim.run_id)


def _trace(member: InvocationTask, flow: Performed, claim: Claim) -> None:
    note = f"ended with {member.name}"
    pointer = Pointer(claim.run_id, claim.step, claim.task, None, claim.priority, note, claim.continuation)
    message = make_step_message(member.app, pointer, has_event=True)
    args, kwargs, _ = message.body
    task_id = message.headers["id"]
    events = _Events(member, task_id)
    events.send("task-received", **message.sent_event)
    events.send("task-started")
    task = member.app.tasks[claim.task]
    request = {**_make_request(member, message, claim.priority), "performed": flow}
    traced = trace_task(task, task_id, args, kwargs, request, app=member.app, hostname=member.request.hostname)
    if traced.info is None:
        events.send("task-succeeded", result=traced.retstr, runtime=traced.runtime)
    elif traced.info.state == FAILURE:
        failure = traced.retval
        events.send("task-failed", exception=saferepr(failure.exception), traceback=str(failure.traceback))


def _make_request(member: InvocationTask, message: Any, priority: int | None) -> dict[str, Any]:
    """What a worker makes of a message that has come to it."""
    _, _, embed = message.body
    return {
        **message.headers,
        **embed,
        **message.properties,
        "properties": message.properties,
        "delivery_info": {**member.request.delivery_info, "priority": priority, "redelivered": False},
        "headers": {},  # else Celery takes what it does not know, as `performed`, for a user's
        "hostname": member.request.hostname,
        "is_eager": False,
    }


class _Events:
    """What monitors hear of a task that no message has brought."""

    def __init__(self, member: InvocationTask, task_id: str) -> None:
        self._member = member
        self._task_id = task_id

    def send(self, type: str, **fields: Any) -> None:
        """Send an event. One that cannot be sent keeps nothing from being delivered."""
        try:
            self._send(type, {"uuid": self._task_id, **fields})
        except Exception as error:
            logger.warning("Event %s of task %s cannot be sent: %r", type, self._task_id, error)

    def _send(self, type: str, fields: dict[str, Any]) -> None:
        """Into the worker's batch; from a pool's process, which has none, at once."""
        publisher = self._member.orchestrator.publisher
        if publisher.events:
            publisher.events.send(type, **fields)
        elif publisher.tells_of_tasks:
            with self._member.app.events.default_dispatcher(hostname=self._member.request.hostname) as dispatcher:
                dispatcher.send(type, **fields)
