"""kombu's Redis channel, but publishing wakes consumers through a key beside the queue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kombu.transport import redis
from kombu.utils.json import dumps

from orchestrator.celery.lease_keys import LeaseKeys

kombu_redis: Any = redis  # hardly typed

Command = tuple[Any, ...]
"""A command's name, its key without kombu's prefix, and the rest."""


class WakingChannel(kombu_redis.Channel):  # type: ignore[misc]
    """The publisher's side. kombu's client puts its prefix before the keys that are named here."""

    _shared_client: Any = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        """One client a pool: to make one costs more than a command, and kombu makes one for each."""
        if asynchronous:
            return super()._create_client(asynchronous)
        if self._shared_client is None or self._shared_client.connection_pool is not self.pool:
            self._shared_client = super()._create_client()
        return self._shared_client

    def _put(self, queue: str, message: dict[str, Any], **kwargs: Any) -> None:
        batch = kwargs.pop("_publish_batch", None)
        commands = self._publishing_commands(queue, message)
        if batch is not None:
            for command in commands:
                batch.add("execute_command", *command)
        else:
            self._send(commands)

    def _send(self, commands: Sequence[Command]) -> None:
        """In one write. A pipeline of redis-py's does the same at three times the cost."""
        connection = self.pool.get_connection()
        try:
            named = [(name, f"{self.global_keyprefix}{key}", *rest) for name, key, *rest in commands]
            connection.send_packed_command(connection.pack_commands(named))
            for _ in named:
                connection.read_response()
        except BaseException:
            connection.disconnect()  # answers may be left on it
            raise
        finally:
            self.pool.release(connection)

    def _publishing_commands(self, queue: str, message: dict[str, Any]) -> list[Command]:
        """The message first: whoever is woken must find it."""
        priority = self._get_message_priority(message, reverse=False)
        wake = LeaseKeys().wake(queue)
        commands: list[Command] = [("LPUSH", self._q_for_pri(queue, priority), dumps(message))]
        # A set of one member: however many messages wait, one wake-up is enough, for consumers pass it on.
        commands.append(("ZADD", wake, 0, "1"))
        if (expires := self._expires.get(queue)) is not None:
            names = [wake, *(self._q_for_pri(queue, step) for step in self.priority_steps)]
            commands += [("PEXPIRE", name, expires) for name in names]
        return commands

    def _delete(self, queue: str, *args: Any, **kwargs: Any) -> None:
        super()._delete(queue, *args, **kwargs)
        self._forget_wake(queue, kwargs.get("client"))

    def _purge(self, queue: str) -> Any:
        purged = super()._purge(queue)
        self._forget_wake(queue)
        return purged

    def _forget_wake(self, queue: str, client: Any = None) -> None:
        with self.conn_or_acquire(client) as client:
            client.delete(LeaseKeys().wake(queue))
