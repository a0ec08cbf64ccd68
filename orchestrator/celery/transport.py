"""A Redis transport for kombu that loses no message when a worker dies, at whatever moment.

Chosen by `broker_transport`, while the URL stays what it is (`transport_for(url)` names the class):

    redis://     orchestrator.celery.transport:Transport
    rediss://    orchestrator.celery.transport:SecureTransport
    sentinel://  orchestrator.celery.transport:SentinelTransport

A message is taken and recorded in one script, under a lease of this process (`leases.py`). Queues, fanout, bindings and
priorities are kombu's, so stock producers and consumers may share them. Taking does not block; a consumer that found
nothing waits for its queues' wake-up keys, which publishing sets. A stock producer sets none: hence the wait ends after
`brpop_timeout`, a second. Option `lease_seconds`; `visibility_timeout` and `unacked_*` have no meaning here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kombu import connection as kombu_connection
from kombu.transport import redis

from orchestrator.celery.leased_channel import LeasedChannel, SentinelChannel

kombu_redis: Any = redis  # hardly typed

_TRANSPORTS = {
    "redis": f"{__name__}:Transport",
    "rediss": f"{__name__}:SecureTransport",
    "sentinel": f"{__name__}:SentinelTransport",
}


def transport_for(url: str | Sequence[str] | None) -> str | None:
    """What to set `broker_transport` to for a broker's URL. None: it is no Redis that this transport can use."""
    first = url if isinstance(url, str) else next(iter(url or ()), "")
    scheme = first.partition("://")[0]
    return _TRANSPORTS.get(scheme)


# Where a connection is shown, to people and to Flower, which chooses its client by the scheme that it sees.
kombu_connection.resolve_aliases.update({path: scheme for scheme, path in _TRANSPORTS.items()})


class Transport(kombu_redis.Transport):  # type: ignore[misc]
    """For `redis://`."""

    Channel = LeasedChannel

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        _keep_transport(client)

    def _reject_inbound_message(self, raw_message: dict[str, Any]) -> None:
        """A message whose consumer was cancelled while it was on its way. Only its own channel's lease knows it."""
        tag = raw_message["properties"]["delivery_tag"]
        for channel in self.channels:
            channel.put_back([tag], to_the_end=True)


class SecureTransport(Transport):
    """For `rediss://`. kombu drops the scheme when a transport is named, and would talk without TLS."""

    def __init__(self, client: Any, **kwargs: Any) -> None:
        # `broker_use_ssl=True`, too, has no effect on kombu's Redis: it takes only a dictionary.
        if not isinstance(client.ssl, dict) or not client.ssl:
            client.ssl = {"ssl_cert_reqs": "required"}
        super().__init__(client, **kwargs)


class SentinelTransport(Transport):
    """For `sentinel://`."""

    default_port = kombu_redis.SentinelTransport.default_port
    Channel = SentinelChannel


def _keep_transport(connection: Any) -> None:
    """After a failover kombu takes the transport from the next URL's scheme: the stock one."""
    if "switch" in vars(connection):
        return
    transport, switch = connection.transport_cls, connection.switch

    def switch_and_keep(url: str) -> None:
        switch(url)
        connection.transport_cls = transport

    connection.switch = switch_and_keep
