"""A consumer process for the transport's tests: plain kombu, without Celery."""

from __future__ import annotations

import redis
from kombu import Connection, Consumer, Message, Queue

TRANSPORT = "orchestrator.celery.transport:Transport"


def consume(url: str, queue: str, lease_seconds: float) -> None:
    """Mark messages as seen, then acknowledge them, until killed."""
    marks = redis.Redis.from_url(url)

    def handle(body: object, message: Message) -> None:
        marks.rpush(f"seen:{queue}", str(body))
        message.ack()

    options = {"lease_seconds": lease_seconds}
    with Connection(url, transport=TRANSPORT, transport_options=options) as connection, connection.channel() as channel:
        channel.basic_qos(0, 4)
        with Consumer(channel, [Queue(queue)], callbacks=[handle]):
            while True:
                connection.drain_events()
