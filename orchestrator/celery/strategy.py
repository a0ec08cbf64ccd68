"""How a worker takes our tasks' messages in: as Celery does, with a check in front and a shorter way to acknowledge.

A message with a malformed body does not end the worker. An acknowledgement on our transport, which any thread may send,
wakes the hub only if it made room.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celery.exceptions import InvalidTaskError
from celery.worker.strategy import default

from orchestrator.celery.leased_channel import LeasedChannel


def invocation_strategy(task: Any, app: Any, consumer: Any, **options: Any) -> Any:
    """Celery's default strategy, changed as this module says. Named in `Task.Strategy`."""
    take_in = default(task, app, consumer, **options)

    def check_and_take_in(message: Any, body: Any, acknowledge: Any, *rest: Any, **keywords: Any) -> Any:
        _check_body(message)
        # After a lost connection, Celery's own way also restores its prefetch count.
        if isinstance(message.channel, LeasedChannel) and consumer.hub and consumer._maximum_prefetch_restored:
            acknowledge = acknowledge_here(message, consumer.hub)
        return take_in(message, body, acknowledge, *rest, **keywords)

    return check_and_take_in


def acknowledge_here(message: Any, hub: Any) -> Callable[[Any, Any], None]:
    """How Celery acknowledges the message, from whatever thread the task has ended in."""

    def acknowledge(logger: Any, errors: Any) -> None:
        message.ack_log_error(logger, errors)
        if message.channel.qos.was_full:
            hub.call_soon(_look_again)

    return acknowledge


def _look_again() -> None:
    """What the hub is woken for is the look at its channels that it takes in each turn."""


def _check_body(message: Any) -> None:
    """Celery unpacks the body unseen, and ends on one that has no three parts. This error it logs and rejects."""
    match message.payload:
        case [list() | tuple(), dict(), _]:
            return
        case {"args": _, "kwargs": _}:  # protocol 1
            return
    raise InvalidTaskError(f"The body is no [args, kwargs, embed] of a task: {str(message.payload)[:80]!r}.")
