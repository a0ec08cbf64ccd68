"""What a consumer asks the broker, and when an acknowledgement wakes it: each costs a turn of its worker's hub."""

from __future__ import annotations

import logging
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import redis
from kombu import Connection, Consumer, Message, Queue

from orchestrator.celery.strategy import acknowledge_here
from tests.integration.transport_consumer import TRANSPORT
from tests.support.stack import wait_until


def test_consumer_that_has_taken_the_last_message_waits_at_once(valkey_url: str, namespace: str) -> None:
    queue, received = Queue(f"{namespace}-letters"), list[Message]()
    with Connection(valkey_url, transport=TRANSPORT) as connection, redis.Redis.from_url(valkey_url) as server:
        with connection.Producer() as producer:
            for body in ("any", "first", "last"):
                producer.publish(body, routing_key=queue.name)
        with connection.channel() as channel:
            queue(channel).get()  # the server knows the script now
            with server.monitor() as monitor, Consumer(channel, [queue], on_message=received.append):
                wait_until(lambda: receive(connection) or len(received) == 2, "both have come")
                receive(connection)
                server.echo("the end")
                asked = questions(monitor, queue.name)

    assert [message.payload for message in received] == ["first", "last"]
    assert asked[:3] == ["EVALSHA", "EVALSHA", "BZPOPMIN"]


def receive(connection: Connection) -> None:
    with suppress(TimeoutError):
        connection.drain_events(timeout=0.2)


def questions(monitor: Any, queue: str) -> list[str]:
    """Until the end, how clients have asked for messages of a queue."""
    asked = []
    while (told := monitor.next_command()["command"]) != "ECHO the end":
        name = told.split()[0]
        if name in ("EVALSHA", "BZPOPMIN") and queue in told:
            asked.append(name)
    return asked


def test_acknowledgement_wakes_the_hub_only_if_it_makes_room(valkey_url: str, namespace: str) -> None:
    queue, received, woken = Queue(f"{namespace}-letters"), list[Message](), list[object]()
    with Connection(valkey_url, transport=TRANSPORT) as connection:
        with connection.Producer() as producer:
            for body in ("first", "second"):
                producer.publish(body, routing_key=queue.name)
        with connection.channel() as channel:
            channel.basic_qos(0, 2)
            with Consumer(channel, [queue], on_message=received.append):
                wait_until(lambda: receive(connection) or len(received) == 2, "both have come")
                hub = SimpleNamespace(call_soon=woken.append)
                for message, expected in zip(received, (1, 1), strict=True):
                    acknowledge_here(message, hub)(logging.getLogger(), ())
                    assert message.acknowledged
                    assert len(woken) == expected
