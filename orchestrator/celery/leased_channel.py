"""kombu's Redis channel, but messages are taken and recorded in one script and held under the process's lease."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from queue import Empty
from time import monotonic
from typing import Any

from kombu.log import get_logger
from kombu.transport import redis, virtual
from kombu.utils.collections import eqhash
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import loads

from orchestrator.celery.delivery import prepare_delivery
from orchestrator.celery.lease_keys import LeaseKeys
from orchestrator.celery.lease_store import LeaseStore, raw_client, read_script
from orchestrator.celery.leases import Lease, leases
from orchestrator.celery.questions import TakeMessage, WaitForWake, take_message
from orchestrator.celery.waking_channel import WakingChannel

logger = get_logger(__name__)
kombu_redis: Any = redis  # hardly typed
kombu_virtual: Any = virtual

LEASE_SECONDS = 10.0
LEASE_LOST = 0
"""What the server answers when it does not know the lease."""


class QoS(kombu_virtual.QoS):  # type: ignore[misc]
    """Acknowledgements by the lease, which has recorded the message when it was taken."""

    @property
    def was_full(self) -> bool:
        """Whether there was no room for a message before the latest acknowledgement, and there may be now."""
        in_hand = len(self._delivered) - len(self._dirty)
        return bool(self.prefetch_count) and in_hand + 1 >= self.prefetch_count

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge, on a closed channel, too: a task may end after the connection that brought it."""
        self.channel.acknowledge(delivery_tag)
        super().ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Drop a message, or put it back to be consumed last, as kombu does."""
        if requeue:
            self.channel.put_back([delivery_tag], to_the_end=True)
        else:
            self.channel.acknowledge(delivery_tag)
        super().ack(delivery_tag)

    def restore_unacked(self) -> None:
        """Put messages back to be consumed next, except for those of tasks that go on without this channel."""
        self._flush()
        running = _ids_of_running_tasks()
        kept = {tag: message for tag, message in self._delivered.items() if message.headers.get("id") in running}
        self.channel.put_back(self._delivered.keys() - kept.keys())
        self.channel.leave_to_their_tasks(kept)
        self._delivered.clear()


class LeasedChannel(WakingChannel):
    """What kombu calls BRPOP takes a message here or, when the last look left none, waits to be woken."""

    QoS = QoS
    lease_seconds = LEASE_SECONDS
    from_transport_options = (*WakingChannel.from_transport_options, "lease_seconds")

    _lease: Lease | None = None
    _question: TakeMessage | WaitForWake | None = None
    _is_drained = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._recorded_queues: set[str] = set()
        super().__init__(*args, **kwargs)
        self._keys = LeaseKeys(self.global_keyprefix)
        self._take_script = raw_client(self.pool).register_script(read_script("take"))

    # ---- consuming --------------------------------------------------------------------------

    def basic_consume(self, queue: str, no_ack: bool = False, *args: Any, **kwargs: Any) -> Any:
        """As in kombu. The first consumer that acknowledges begins the lease."""
        if not no_ack and self.ack_emulation and queue not in self._fanout_queues:
            self._recorded_queues.add(queue)
            self._join_lease()
        else:
            self._recorded_queues.discard(queue)
        return super().basic_consume(queue, no_ack, *args, **kwargs)

    def basic_get(self, queue: str, no_ack: bool = False, **kwargs: Any) -> Any:
        """One message, without waiting."""
        if no_ack or not self.ack_emulation:
            return super().basic_get(queue, no_ack=no_ack, **kwargs)
        lease = self._join_lease()
        question = self._ask_for_message([queue], recorded=[queue])
        try:
            _, payload = self._understand(question, lease.take(question))
        except Empty:
            return None
        except Exception:
            lease.drop(question.tag)
            raise
        message = self.Message(payload, channel=self)
        self.qos.append(message, message.delivery_tag)
        return message

    def acknowledge(self, tag: str) -> None:
        """Let the server forget a message."""
        if self._lease:
            self._lease.acknowledge(tag)

    def put_back(self, tags: Iterable[str], *, to_the_end: bool = False) -> None:
        """Give messages to other consumers."""
        if self._lease:
            self._lease.put_back(tags, to_the_end=to_the_end)

    def leave_to_their_tasks(self, messages: Mapping[str, Any]) -> None:
        """These may still be acknowledged, until nobody has them in memory any more."""
        if self._lease:
            for tag, message in messages.items():
                weakref.finalize(message, self._lease.drop, tag).atexit = False

    def close(self) -> None:
        """Cancel consumers and put messages back, those that nobody has seen yet included."""
        if not self.closed:
            self._settle_question()
            # Or else kombu would wait for an answer, and hand a message to a consumer that stops.
            self._in_poll = None
        super().close()
        if self._lease:
            self._lease.part(self)

    # ---- the consuming connection -----------------------------------------------------------

    def _brpop_start(self, timeout: float | None = None) -> None:
        if isinstance(self._question, TakeMessage) and self._lease:
            self._lease.drop(self._question.tag)  # its connection broke before the answer
        queues = self._queue_cycle.consume(len(self.active_queues))
        if not queues:
            return
        connection = self._in_poll = self.client.connection
        self._brpop_sent_at = monotonic()
        if self._is_drained:
            wait = WaitForWake([*map(self._keys.wake, queues)], timeout or self.brpop_timeout or 0)
            self._question, command = wait, wait.command()
        else:
            take = self._ask_for_message(queues, recorded=self._recorded_queues)
            self._question, command = take, take.command(self._take_script.sha)
        connection.send_command(*command)

    def _brpop_read(self, **options: Any) -> bool:
        try:
            answer = self._read_answer(**options)
            question, self._question = self._question, None
            self._is_drained = False
            if not isinstance(question, TakeMessage):
                raise Empty
            queue, payload = self._understand(question, answer)
            self._queue_cycle.rotate(queue)
            self.connection._deliver(payload, queue)
            return True
        finally:
            self._in_poll = None
            self._flush_brpop_reauth()

    def _read_answer(self, **options: Any) -> Any:
        name = "EVALSHA" if isinstance(self._question, TakeMessage) else "BZPOPMIN"
        try:
            return self.client.parse_response(self.client.connection, name, **options)
        except kombu_redis.exceptions.NoScriptError:
            # A new or restarted server. The question is asked again.
            self._forget_question()
            with self.conn_or_acquire() as client:
                client.script_load(self._take_script.script)
            raise Empty from None
        except self.connection_errors:
            self.client.connection.disconnect()
            raise

    def _forget_question(self) -> None:
        """The server did not do what it was asked."""
        if isinstance(self._question, TakeMessage) and self._lease:
            self._lease.forget(self._question.tag)
        self._question = None

    def _poll_error(self, type: str, **options: Any) -> Any:
        return self._brpop_read() if type == "BRPOP" else super()._poll_error(type, **options)

    def _settle_question(self) -> None:
        question, lease = self._question, self._lease
        if not isinstance(question, TakeMessage) or not lease:
            return
        try:
            if self._in_poll:
                self._understand(question, self._read_answer())
                lease.put_back([question.tag])
        except Empty:
            pass
        except Exception as error:
            logger.debug("The last answer got lost: %r", error)
        lease.drop(question.tag)
        self._question = None

    # ---- asking and understanding -----------------------------------------------------------

    def _ask_for_message(self, queues: Sequence[str], *, recorded: Collection[str]) -> TakeMessage:
        lists = [partial(self._q_for_pri, pri=step) for step in self.priority_steps]
        lease, tag = self._lease.begin_delivery() if self._lease and recorded else ("", "")
        return take_message(self._keys, queues, lists, lease=lease, tag=tag, recorded=recorded)

    def _understand(self, question: TakeMessage, answer: Any) -> tuple[str, dict[str, Any]]:
        """The queue and the message. Raises `Empty` if there is none for us."""
        lease = self._lease
        if answer is None or answer == LEASE_LOST:
            self._is_drained = answer is None
            if lease:
                lease.forget(question.tag)
            if lease and answer == LEASE_LOST:
                lease.recover(question.lease)
            raise Empty
        number, text, has_more = answer
        self._is_drained = not has_more
        queue = question.queues[number - 1]
        is_recorded = question.is_recorded(queue)
        if lease and not is_recorded:
            lease.forget(question.tag)
        if lease and is_recorded and not lease.confirm(question.tag):
            raise Empty
        return queue, self._read_payload(text, question.tag if is_recorded else "")

    def _read_payload(self, text: bytes, tag: str) -> dict[str, Any]:
        try:
            payload: dict[str, Any] = loads(bytes_to_str(text))
            self.Message(payload, channel=self)
        except Exception:  # anything can lie in a list
            # It would come back for ever, and end every worker that meets it.
            logger.critical("Dropped what is not a message of kombu's: %.1000r", text, exc_info=True)
            self.acknowledge(tag)
            raise Empty from None
        if tag:
            prepare_delivery(payload, tag)
        return payload

    # ---- the lease --------------------------------------------------------------------------

    def _join_lease(self) -> Lease:
        if self._lease is None:
            self._lease = leases.join(self, eqhash(self.connection.client), self._begin_lease)
        return self._lease

    def _begin_lease(self) -> Lease:
        """Over a connection of its own, which fails soon and tries nothing twice: the lease's thread does."""
        patience = self.lease_seconds / 3
        limits = {"socket_timeout": patience, "socket_connect_timeout": patience, "retry_on_timeout": False}
        client = self.connection.client
        connection = client.clone(transport_options={**client.transport_options, **limits})
        pool = connection.channel().pool
        pool.connection_kwargs["retry"] = kombu_redis.redis.retry.Retry(kombu_redis.redis.backoff.NoBackoff(), 0)
        store = LeaseStore(raw_client(pool), self._keys, lease_seconds=self.lease_seconds)
        return Lease(store, seconds=self.lease_seconds, on_end=connection.release)


class SentinelChannel(LeasedChannel, kombu_redis.SentinelChannel):  # type: ignore[misc]
    """The same behind Redis Sentinel."""

    from_transport_options = (*kombu_redis.SentinelChannel.from_transport_options, "lease_seconds")


def _ids_of_running_tasks() -> set[str]:
    """Tasks that this process's Celery worker is executing, if it is one."""
    worker_state = sys.modules.get("celery.worker.state")
    return {request.id for request in list(worker_state.active_requests)} if worker_state else set()
