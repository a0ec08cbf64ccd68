"""The transport under plain kombu producers and consumers: what is taken, in which order, and that nothing is lost."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest
import redis
from kombu import Connection, Consumer, Message, Queue

from orchestrator.celery.delivery import PUBLISH_ID
from orchestrator.embedded import EmbeddedValkey
from tests.integration.transport_consumer import TRANSPORT, consume
from tests.support.stack import wait_until

KILLS = 25
LEASE_SECONDS = 3.0


@pytest.fixture
def queue() -> str:
    """A queue that no other test uses."""
    return f"queue-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of this file's own, of which all keys are looked at: no other test's consumer may leave any."""
    with EmbeddedValkey(tmp_path_factory.mktemp("transport")) as server:
        yield server.url


@pytest.fixture
def server(valkey_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey_url, decode_responses=True) as client:
        yield client


@pytest.fixture
def connection(valkey_url: str) -> Iterator[Connection]:
    with connect(valkey_url) as connection:
        yield connection


def connect(url: str, **options: Any) -> Connection:
    """To our transport."""
    return Connection(url, transport=TRANSPORT, transport_options={"lease_seconds": LEASE_SECONDS, **options})


def publish(connection: Connection, queue: str, *bodies: object, priority: int = 0) -> None:
    with connection.Producer() as producer:
        for body in bodies:
            producer.publish(body, routing_key=queue, priority=priority)


@contextmanager
def consuming(connection: Connection, *queues: str, prefetch: int = 0, **options: Any) -> Iterator[list[Message]]:
    """What a consumer has received; it receives more in `drain`."""
    received: list[Message] = []
    with ExitStack() as stack:
        channel = stack.enter_context(connection.channel())
        channel.basic_qos(0, prefetch)
        declared = [Queue(name) for name in queues]
        stack.enter_context(Consumer(channel, declared, on_message=received.append, **options))
        yield received


def drain(connection: Connection, received: list[Message], count: int, *, seconds: float = 60.0) -> list[Any]:
    """Receive until there are so many; their bodies."""
    deadline = time.monotonic() + seconds
    while len(received) < count:
        assert time.monotonic() < deadline, f"received {len(received)} of {count} in {seconds:g} s"
        with suppress(TimeoutError):
            connection.drain_events(timeout=0.2)
    return [message.payload for message in received]


def recorded(server: redis.Redis) -> int:
    """How many messages are taken and not acknowledged."""
    return sum(server.hlen(key) for key in server.scan_iter("*_leases.unacked.*"))


# ---- nothing is lost ----------------------------------------------------------------------------


def test_no_message_is_lost_by_consumers_killed_at_random_moments(
    valkey_url: str, server: redis.Redis, queue: str
) -> None:
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["tests.integration.transport_consumer", "orchestrator.celery.transport"])
    moments = random.Random(6)
    sent: list[str] = []

    for round_number in range(KILLS):
        fresh = [f"{round_number}.{number}" for number in range(40)]  # however fast a consumer is, the next has work
        with connect(valkey_url) as connection:
            publish(connection, queue, *fresh)
        sent += fresh
        before = server.llen(f"seen:{queue}")
        process = processes.Process(target=consume, args=(valkey_url, queue, LEASE_SECONDS))
        process.start()
        wait_until(lambda seen=before: server.llen(f"seen:{queue}") > seen, "it consumes")
        time.sleep(moments.uniform(0, 0.03))
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
    last = processes.Process(target=consume, args=(valkey_url, queue, LEASE_SECONDS))
    last.start()
    try:
        wait_until(lambda: set(server.lrange(f"seen:{queue}", 0, -1)) >= set(sent), "every message is seen")
        wait_until(lambda: not recorded(server), "all are acknowledged or put back")
    finally:
        last.kill()
        last.join()


def test_message_is_recorded_before_anybody_has_it(connection: Connection, server: redis.Redis, queue: str) -> None:
    publish(connection, queue, "a")

    with consuming(connection, queue) as received:
        drain(connection, received, 1)
        assert recorded(server) == 1

        received[0].ack()
        wait_until(lambda: not recorded(server), "all are acknowledged or put back")


def test_closing_puts_unacknowledged_messages_back_in_their_order(
    connection: Connection, server: redis.Redis, queue: str
) -> None:
    publish(connection, queue, *range(5))
    with consuming(connection, queue) as received:
        drain(connection, received, 3)
        received[1].ack()

    wait_until(lambda: not recorded(server), "all are acknowledged or put back")
    with consuming(connection, queue) as received:
        assert drain(connection, received, 4) == [0, 2, 3, 4]
        assert [message.delivery_info.get("redelivered", False) for message in received] == [True, True, False, False]


def test_consumers_that_end_leave_no_keys(valkey_url: str, server: redis.Redis, queue: str) -> None:
    before = set(server.zrange("_leases", 0, -1))  # of consumers that other tests have killed
    with connect(valkey_url) as connection:
        publish(connection, queue, *range(3))
        with consuming(connection, queue) as received:
            drain(connection, received, 3)
            for message in received:
                message.ack()

    left = [key for key in server.keys("*") if "_leases.unacked" in key or queue in key]
    assert [key for key in left if server.ttl(key) == -1 and "_kombu.binding" not in key] == []
    wait_until(lambda: set(server.zrange("_leases", 0, -1)) <= before, "the consumer's lease is ended")


def test_rejected_message_goes_to_the_end_or_away(connection: Connection, server: redis.Redis, queue: str) -> None:
    publish(connection, queue, "a", "b")
    with consuming(connection, queue, prefetch=1) as received:
        drain(connection, received, 1)
        received[0].reject(requeue=True)
        drain(connection, received, 2)
        received[1].reject()

        assert drain(connection, received, 3) == ["a", "b", "a"]

    wait_until(lambda: not recorded(server), "all are acknowledged or put back")


def test_what_is_no_message_is_dropped_and_consuming_goes_on(
    connection: Connection, server: redis.Redis, queue: str
) -> None:
    server.rpush(
        queue, "\x00 junk", "[1]", "{}", '{"properties": {"delivery_tag": "x", "body_encoding": "base64"}, "body": "a"}'
    )
    publish(connection, queue, "good")

    with consuming(connection, queue) as received:
        assert drain(connection, received, 1) == ["good"]
        assert recorded(server) == 1


# ---- order --------------------------------------------------------------------------------------


def test_higher_priorities_come_first_across_queues(connection: Connection, queue: str) -> None:
    first, second = f"{queue}-1", f"{queue}-2"
    for priority in (9, 6, 3, 0):
        publish(connection, first, f"first {priority}", priority=priority)
        publish(connection, second, f"second {priority}", priority=priority)

    with consuming(connection, first, second) as received:
        bodies = drain(connection, received, 8)

    # On Redis, 0 is the highest.
    assert [body.split()[1] for body in bodies] == ["0", "0", "3", "3", "6", "6", "9", "9"]


def test_message_keeps_its_priority_when_it_is_put_back(connection: Connection, queue: str) -> None:
    publish(connection, queue, "low", priority=9)
    with consuming(connection, queue) as received:
        drain(connection, received, 1)
    publish(connection, queue, "high", priority=0)

    with consuming(connection, queue) as received:
        assert drain(connection, received, 2) == ["high", "low"]


def test_busy_queue_does_not_keep_another_one_waiting(connection: Connection, queue: str) -> None:
    busy, quiet = f"{queue}-busy", f"{queue}-quiet"
    publish(connection, busy, *["busy"] * 20)
    publish(connection, quiet, *["quiet"] * 5)

    with consuming(connection, busy, quiet) as received:
        bodies = drain(connection, received, 10)

    assert bodies.count("quiet") == 5


# ---- who may share queues -----------------------------------------------------------------------


@pytest.mark.parametrize("stock_side", ["producer", "consumer"])
def test_stock_transport_can_share_a_queue(valkey_url: str, queue: str, stock_side: str) -> None:
    with connect(valkey_url) as ours, Connection(valkey_url) as stock:
        producer, consumer = (stock, ours) if stock_side == "producer" else (ours, stock)
        with consuming(consumer, queue) as received:
            with pytest.raises(TimeoutError):
                consumer.drain_events(timeout=0.3)
            publish(producer, queue, "hello")
            asked_at = time.monotonic()

            assert drain(consumer, received, 1) == ["hello"]
            assert time.monotonic() - asked_at < 20.0
            received[0].ack()


def test_every_idle_consumer_is_woken_by_a_batch(valkey_url: str, queue: str) -> None:
    with ExitStack() as stack:
        connections = [stack.enter_context(connect(valkey_url)) for _ in range(3)]
        consumers = [stack.enter_context(consuming(each, queue, prefetch=1)) for each in connections]
        for each in connections:
            with pytest.raises(TimeoutError):
                each.drain_events(timeout=0.05)
        publish(connections[0], queue, *range(3))

        bodies = [drain(each, received, 1)[0] for each, received in zip(connections, consumers, strict=True)]

        assert sorted(bodies) == [0, 1, 2]


def test_global_key_prefix_is_before_every_key(valkey_url: str, server: redis.Redis, queue: str) -> None:
    prefix = f"{queue}/"
    before = set(server.keys("*"))
    with connect(valkey_url, global_keyprefix=prefix) as connection:
        publish(connection, queue, "a", "b")
        with consuming(connection, queue) as received:
            drain(connection, received, 2)
            new = set(server.keys("*")) - before
            received[0].ack()

    assert {key for key in new if not key.startswith(prefix)} == set()
    assert server.llen(f"{prefix}{queue}") == 1


def test_messages_can_be_got_one_by_one(connection: Connection, server: redis.Redis, queue: str) -> None:
    publish(connection, queue, "a", "b")
    with connection.channel() as channel:
        bound = Queue(queue)(channel)
        first, second, none = bound.get(), bound.get(no_ack=True), bound.get()

        assert (first.payload, second.payload, none) == ("a", "b", None)
        assert recorded(server) == 1
        first.ack()
        wait_until(lambda: not recorded(server), "all are acknowledged or put back")


def test_delivery_carries_the_id_of_its_publication(connection: Connection, queue: str) -> None:
    publish(connection, queue, "a", "a")
    with consuming(connection, queue) as received:
        drain(connection, received, 2)
        first = [message.properties[PUBLISH_ID] for message in received]
        tags = {message.delivery_tag for message in received}

    with consuming(connection, queue) as received:
        drain(connection, received, 2)
        again = [message.properties[PUBLISH_ID] for message in received]
        tags |= {message.delivery_tag for message in received}

    assert first == again
    assert len(set(first)) == 2
    assert len(tags) == 4
