"""Which transport a broker's URL gets, and that a connection keeps it."""

from __future__ import annotations

import pytest
from kombu import Connection

from orchestrator import create_app
from orchestrator.celery.leased_channel import LeasedChannel
from orchestrator.celery.transport import SecureTransport, SentinelTransport, Transport, transport_for
from orchestrator.settings import Settings


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://localhost:6379/0", Transport),
        ("rediss://localhost", SecureTransport),
        ("sentinel://one:26379;sentinel://two:26379", SentinelTransport),
        (["redis://one", "redis://two"], Transport),
    ],
)
def test_each_redis_scheme_has_its_transport(url: str | list[str], expected: type) -> None:
    connection = Connection(url, transport=transport_for(url))

    assert type(connection.transport) is expected
    assert issubclass(connection.transport.Channel, LeasedChannel)


@pytest.mark.parametrize("url", ["amqp://localhost", "memory://", "redis+socket:///tmp/redis.sock", "", None, []])
def test_other_brokers_keep_theirs(url: str | None) -> None:
    assert transport_for(url) is None


@pytest.mark.parametrize("scheme", ["redis", "rediss", "sentinel"])
def test_connection_shows_the_scheme_it_was_made_with(scheme: str) -> None:
    url = f"{scheme}://user:secret@localhost:7000/2"

    shown = Connection(url, transport=transport_for(url))

    assert shown.as_uri(include_password=True).startswith(f"{scheme}://user:secret@localhost:7000/2")
    assert shown.info()["transport"] == scheme


def test_connection_keeps_the_transport_after_a_failover() -> None:
    connection = Connection("redis://one:1;redis://two:2", transport=transport_for("redis://"))
    assert connection.transport

    for host in ("two", "one"):
        connection.maybe_switch_next()
        assert (connection.hostname, type(connection.transport)) == (host, Transport)
    assert type(connection.clone().transport) is Transport


def test_secure_transport_is_never_without_tls() -> None:
    for ssl in (None, False, True, {}):
        connection = Connection("rediss://localhost", transport=transport_for("rediss://"), ssl=ssl)

        assert connection.transport.client.ssl == {"ssl_cert_reqs": "required"}


def test_app_gets_our_transport_on_redis_alone() -> None:
    settings = Settings(redis_url="redis://localhost:1/0")

    assert create_app(settings=settings).conf.broker_transport == transport_for("redis://")
    assert create_app(settings=settings, broker_url="amqp://localhost").conf.broker_transport is None
    assert create_app(settings=settings, broker_transport="redis").conf.broker_transport == "redis"
