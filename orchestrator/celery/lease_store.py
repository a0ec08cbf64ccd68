"""Leases and unacknowledged messages in Redis: one method a script."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from kombu.transport import redis
from kombu.utils.encoding import bytes_to_str

from orchestrator.celery.delivery import mark_redelivered
from orchestrator.celery.lease_keys import LeaseKeys
from orchestrator.celery.questions import TakeMessage

kombu_redis: Any = redis  # hardly typed

BATCH = 20
"""Messages moved at once: they may be megabytes each."""
CLAIM_MILLISECONDS = 5000


@dataclass(frozen=True)
class LeaseView:
    """What a process sees when it renews its lease."""

    is_held: bool
    neighbours: Sequence[str]
    """The leases of this machine."""
    lapsed: Sequence[str]
    """Leases whose messages are ours to put back."""


class LeaseStore:
    """Leases on one Redis. A lease's id is `<process identity>:<token>`; what might count twice is not tried twice."""

    def __init__(self, client: Any, keys: LeaseKeys, *, lease_seconds: float) -> None:
        self._client = client
        self._keys = keys
        self._milliseconds = round(lease_seconds * 1000)
        self._scripts = {name: client.register_script(read_script(name)) for name in _SCRIPTS}
        self._connection: Any = None

    def enter(self, lease: str) -> None:
        """Begin a lease."""
        self._scripts["enter"](keys=[self._keys.leases, self._keys.place(lease)], args=[lease, self._milliseconds])

    def keep(self, lease: str, *, limit: int) -> LeaseView:
        """Renew a lease, and look after so many of the others."""
        # With nobody looking for half a lease, leases may have lapsed because the server could not be reached.
        watch_milliseconds = self._milliseconds // 2
        is_held, neighbours, lapsed = self._scripts["keep"](
            keys=[self._keys.leases, self._keys.place(lease), self._keys.watch],
            args=[lease, self._milliseconds, watch_milliseconds, CLAIM_MILLISECONDS, self._keys.claim(""), limit],
        )
        return LeaseView(bool(is_held), [*map(bytes_to_str, neighbours)], [*map(bytes_to_str, lapsed)])

    def take(self, question: TakeMessage) -> Any:
        """Ask for a message."""
        return self._scripts["take"](keys=question.keys, args=question.arguments)

    def declare_dead(self, lease: str) -> None:
        """Let a lease lapse now."""
        self._client.zadd(self._keys.leases, {lease: 0}, xx=True)

    def acknowledge(self, lease: str, tags: Iterable[str]) -> None:
        """Forget messages."""
        self._client.hdel(self._keys.unacked(lease), *tags)

    def acknowledge_one(self, lease: str, tag: str) -> None:
        """Forget a message, at a third of the cost: over a connection kept for it. One thread at a time."""
        try:
            self._ask_alone("HDEL", self._keys.unacked(lease), tag)
        except kombu_redis.exceptions.ConnectionError:  # closed since the last time
            self._ask_alone("HDEL", self._keys.unacked(lease), tag)

    def server_id(self) -> str:
        """Another one each time that the server starts, and after a failover."""
        server_id: str = bytes_to_str(self._client.info("server").get("run_id", ""))
        return server_id

    def tags(self, lease: str) -> set[str]:
        """The deliveries that are recorded under a lease."""
        return {bytes_to_str(tag) for tag in self._client.hkeys(self._keys.unacked(lease))}

    def put_back(self, lease: str, tags: Iterable[str], *, is_ours: bool = True, to_the_end: bool = False) -> int:
        """Put messages back where they came from, the oldest to be consumed next. Returns how many.

        `to_the_end`: to be consumed last. A lease that is not ours has to have lapsed, or nothing happens.
        """
        # What is pushed last is consumed first.
        ordered = sorted(tags, key=_number_of, reverse=True)
        head = ["" if is_ours else lease, "LPUSH" if to_the_end else "RPUSH"]
        moved = 0
        for start in range(0, len(ordered), BATCH):
            records = self._records(lease, ordered[start : start + BATCH])
            parts = [part for tag, record in records.items() for part in (tag, *record)]
            keys = [self._keys.leases, self._keys.unacked(lease)]
            moved += self._scripts["put_back"](keys=keys, args=[*head, *parts])
        return moved

    def leave(self, lease: str) -> bool:
        """End a lease, unless messages are left under it."""
        keys = [self._keys.leases, self._keys.place(lease), self._keys.unacked(lease), self._keys.claim(lease)]
        return bool(self._scripts["leave"](keys=keys, args=[lease]))

    def _ask_alone(self, *command: str) -> None:
        if self._connection is None:
            self._connection = self._client.connection_pool.get_connection()
        try:
            self._connection.send_command(*command)
            self._connection.read_response()
        except BaseException:
            self._connection.disconnect()  # it connects again at the next command
            raise

    def _records(self, lease: str, tags: Sequence[str]) -> Mapping[str, tuple[bytes, bytes, bytes]]:
        found = zip(tags, self._client.hmget(self._keys.unacked(lease), tags), strict=True)
        return {tag: _read_record(record) for tag, record in found if record is not None}


_SCRIPTS = ("enter", "keep", "leave", "put_back", "take")


@cache
def read_script(name: str) -> str:
    """The source of `transport_scripts/<name>.lua`."""
    folder = files("orchestrator.celery") / "transport_scripts"
    text = (folder / f"{name}.lua").read_text(encoding="utf-8")
    # Moving and forgetting messages must go on when the server's memory is full: it is how memory comes back.
    return f"#!lua flags=allow-oom\n{text}"


def raw_client(pool: Any) -> Any:
    """A client that leaves keys as they are: scripts get whole names, with kombu's global prefix in them."""
    return kombu_redis.redis.Redis(connection_pool=pool)


def _number_of(tag: str) -> int:
    return int(tag.rpartition(".")[2])


def _read_record(record: bytes) -> tuple[bytes, bytes, bytes]:
    queue, wake, text = record.split(b"\n", 2)
    return queue, wake, mark_redelivered(text)
