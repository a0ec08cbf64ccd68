"""What a consuming connection asks the server: for a message, or to be told when there is one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.celery.lease_keys import LeaseKeys


@dataclass(frozen=True)
class WaitForWake:
    """Blocks in the server until one of the queues gets a message, or for a while."""

    keys: Sequence[str]
    seconds: float

    def command(self) -> tuple[Any, ...]:
        """What to send. The answer says nothing: what follows is another look."""
        return ("BZPOPMIN", *self.keys, self.seconds)


@dataclass(frozen=True)
class TakeMessage:
    """Takes one message from several queues and records who has it. Answered at once."""

    queues: Sequence[str]
    keys: Sequence[str]
    arguments: Sequence[Any]
    lease: str
    tag: str
    """Of the delivery, if a message comes of it. Empty where nothing is to be recorded."""

    def command(self, script_sha: str) -> tuple[Any, ...]:
        """What to send."""
        return ("EVALSHA", script_sha, len(self.keys), *self.keys, *self.arguments)

    def is_recorded(self, queue: str) -> bool:
        """Whether a message of this queue is recorded, and so has to be acknowledged."""
        return bool(self.arguments[3 + self.queues.index(queue)] == "1")


def take_message(
    keys: LeaseKeys,
    queues: Sequence[str],
    lists_by_step: Sequence[Callable[[str], str]],
    *,
    lease: str,
    tag: str,
    recorded: Collection[str],
) -> TakeMessage:
    """`lists_by_step`: for each priority, the highest first, the name of a queue's list."""
    lists = [keys.prefix + name_of(queue) for name_of in lists_by_step for queue in queues]
    wakes = [keys.wake(queue) for queue in queues]
    flags = ["1" if lease and queue in recorded else "0" for queue in queues]
    return TakeMessage(
        queues,
        keys=[keys.leases, keys.unacked(lease), *lists, *wakes],
        arguments=[lease, tag, len(queues), *flags],
        lease=lease,
        tag=tag,
    )
