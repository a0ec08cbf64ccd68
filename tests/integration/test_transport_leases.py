"""Leases on a real server: who may take whose messages, and that both sides' records meet again after a fault."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import celery.worker.state
import pytest
import redis
from kombu import Connection, Consumer, Message, Queue

from orchestrator.celery.lease_keys import LeaseKeys
from orchestrator.celery.lease_store import LeaseStore
from orchestrator.celery.transport import transport_for
from orchestrator.embedded import EmbeddedValkey
from tests.support.stack import wait_until, wait_until_on_disk

LEASE_SECONDS = 1.5
"""A server that stands still for a third of it is told later what it was to be told."""
MINE, OTHER, THIRD = "here:1:1:mine", "there:2:2:other", "there:3:3:third"
KEYS = LeaseKeys()


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    with EmbeddedValkey(tmp_path) as valkey:
        yield valkey


@pytest.fixture
def server(valkey: EmbeddedValkey) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey.url, decode_responses=True) as client:
        yield client


@pytest.fixture
def store(valkey: EmbeddedValkey) -> Iterator[LeaseStore]:
    with redis.Redis.from_url(valkey.url) as client:
        yield LeaseStore(client, KEYS, lease_seconds=LEASE_SECONDS)


@pytest.fixture
def connection(valkey: EmbeddedValkey) -> Iterator[Connection]:
    options = {"lease_seconds": LEASE_SECONDS}
    with Connection(valkey.url, transport=transport_for(valkey.url), transport_options=options) as connection:
        yield connection


def publish(connection: Connection, *bodies: object, **headers: str) -> None:
    with connection.Producer() as producer:
        for body in bodies:
            producer.publish(body, routing_key="q", headers=headers)


def receive(connection: Connection, channel: Any, count: int) -> list[Message]:
    """So many messages of the queue."""
    received: list[Message] = []
    with Consumer(channel, [Queue("q")], on_message=received.append):
        while len(received) < count:
            connection.drain_events(timeout=60)
    return received


def record(server: redis.Redis, lease: str, tag: str, text: str = "{}") -> None:
    """As if a message had been taken."""
    server.hset(KEYS.unacked(lease), tag, f"q\n{KEYS.wake('q')}\n{text}")


# ---- who may take whose messages ----------------------------------------------------------------


def test_lapsed_lease_is_one_processs_to_clear_up(store: LeaseStore) -> None:
    for lease in (MINE, OTHER, THIRD):
        store.enter(lease)

    def keep_two() -> list[str]:
        return [lapsed for lease in (MINE, OTHER) for lapsed in store.keep(lease, limit=10).lapsed]

    assert wait_until(keep_two, "the third has lapsed") == [THIRD]
    assert keep_two() == []


def test_nobody_is_judged_when_nobody_has_looked_for_a_while(store: LeaseStore, server: redis.Redis) -> None:
    store.enter(MINE)
    store.enter(OTHER)
    record(server, OTHER, "other.1")
    time.sleep(LEASE_SECONDS * 1.2)

    assert store.keep(MINE, limit=10).lapsed == []
    assert store.put_back(OTHER, ["other.1"], is_ours=False) == 0
    assert store.keep(OTHER, limit=0).is_held


def test_messages_of_a_living_process_cannot_be_put_back(store: LeaseStore, server: redis.Redis) -> None:
    store.enter(OTHER)
    record(server, OTHER, "other.1")

    assert store.put_back(OTHER, ["other.1"], is_ours=False) == 0
    store.declare_dead(OTHER)
    assert store.put_back(OTHER, ["other.1"], is_ours=False) == 1
    assert store.put_back(OTHER, ["other.1"], is_ours=False) == 0
    assert server.llen("q") == 1


def test_lease_ends_only_when_nothing_is_left_under_it(store: LeaseStore, server: redis.Redis) -> None:
    store.enter(MINE)
    record(server, MINE, "mine.1")

    assert not store.leave(MINE)
    store.acknowledge(MINE, ["mine.1"])
    assert store.leave(MINE)
    assert server.keys("*") == []
    assert not store.keep(MINE, limit=0).is_held


# ---- records that part --------------------------------------------------------------------------


def test_consumer_whose_lease_was_taken_goes_on_under_a_new_one(connection: Connection, server: redis.Redis) -> None:
    with connection.channel() as channel:
        publish(connection, "a")
        [before] = receive(connection, channel, 1)
        server.flushall()
        publish(connection, "b")

        [after] = receive(connection, channel, 1)
        before.ack()

        assert after.delivery_tag.partition(".")[0] != before.delivery_tag.partition(".")[0]
        [unacked] = server.keys(KEYS.unacked("*"))
        assert server.hkeys(unacked) == [after.delivery_tag]
        after.ack()


def test_message_whose_delivery_got_lost_is_put_back(connection: Connection, server: redis.Redis) -> None:
    with connection.channel() as channel:
        publish(connection, "a")
        [message] = receive(connection, channel, 1)

        channel._lease.drop(message.delivery_tag)  # as when a connection breaks before the answer

        [again] = receive(connection, channel, 1)
        assert (again.payload, again.delivery_info["redelivered"]) == ("a", True)
        again.ack()


def test_acknowledgement_waits_for_a_server_that_is_away(
    connection: Connection, valkey: EmbeddedValkey, server: redis.Redis
) -> None:
    with connection.channel() as channel:
        publish(connection, "a", "b")
        first, second = receive(connection, channel, 2)
        wait_until_on_disk(valkey.url)
        valkey.kill()
        first.ack()
        valkey.start()

        lease = channel._lease
        wait_until(lambda: server.hkeys(KEYS.unacked(lease.id)) == [second.delivery_tag], "one is forgotten")
        assert server.llen("q") == 0
        second.ack()
        wait_until(lambda: server.keys(KEYS.unacked("*")) == [], "all are acknowledged")


def test_acknowledgement_outlasts_a_connection_that_was_closed(store: LeaseStore, server: redis.Redis) -> None:
    for tag in ("1", "2"):
        record(server, MINE, tag)

    store.acknowledge_one(MINE, "1")
    server.client_kill_filter(_type="normal", skipme=True)
    store.acknowledge_one(MINE, "2")

    assert server.keys(KEYS.unacked("*")) == []


def test_acknowledgement_that_the_server_lost_with_its_power_does_not_count(
    connection: Connection, valkey: EmbeddedValkey, server: redis.Redis
) -> None:
    with connection.channel() as channel:
        publish(connection, "a")
        [message] = receive(connection, channel, 1)
        unacked, tag = KEYS.unacked(channel._lease.id), message.delivery_tag
        recorded = server.hget(unacked, tag)
        message.ack()
        valkey.stop()
        valkey.start()

        server.hset(unacked, tag, recorded)  # what it knew a second before

        wait_until(lambda: server.llen("q") == 1, "it is back in its queue")


def test_running_task_keeps_its_message_when_the_channel_closes(
    connection: Connection, server: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connection.channel() as channel:
        publish(connection, "runs", id="one")
        publish(connection, "waits", id="two")
        received = receive(connection, channel, 2)
        running = SimpleNamespace(id="one")
        monkeypatch.setattr(celery.worker.state, "active_requests", [running])
    assert server.llen("q") == 1
    [unacked] = server.keys(KEYS.unacked("*"))
    assert server.hkeys(unacked) == [received[0].delivery_tag]

    received[0].ack()

    wait_until(lambda: server.keys("_leases*") in ([], [KEYS.watch]), "the lease is ended")


def test_message_of_a_task_that_was_given_up_is_put_back(
    connection: Connection, server: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connection.channel() as channel:
        publish(connection, "runs", id="one")
        received = receive(connection, channel, 1)
        monkeypatch.setattr(celery.worker.state, "active_requests", [SimpleNamespace(id="one")])
    assert server.llen("q") == 0

    received.clear()  # nobody can acknowledge it any more
    gc.collect()

    wait_until(lambda: server.llen("q") == 1, "it is back in its queue")


# ---- a server whose memory is full --------------------------------------------------------------


def test_full_server_refuses_messages_and_lets_them_be_consumed(connection: Connection, server: redis.Redis) -> None:
    publish(connection, "a", "b")
    with connection.channel() as channel:
        server.config_set("maxmemory", 1)
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            publish(connection, "c")

        first, second = receive(connection, channel, 2)
        time.sleep(2 * LEASE_SECONDS)
        first.ack()
        second.reject(requeue=True)
        [again] = receive(connection, channel, 1)
        again.ack()

        wait_until(lambda: server.keys(KEYS.unacked("*")) == [], "all are acknowledged")
