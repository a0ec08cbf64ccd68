"""The transport's ways to a server: TLS, which is the ledger's too, and Redis Sentinel with a failover."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
import redis
from kombu import Connection, Consumer, Queue
from redis.sentinel import Sentinel

from orchestrator.celery.transport import transport_for
from orchestrator.embedded import EmbeddedValkey, find_server
from orchestrator.ledger.redis import RedisLedger
from tests.contract.steps import new_run
from tests.support.debian_parts import require_part
from tests.support.stack import wait_until


def exchange_message(connection: Connection, body: str) -> None:
    """Publish and consume a message, with everything closed afterwards."""
    received: list[str] = []
    with connection, connection.channel() as channel:
        consumer = Consumer(channel, [Queue("q")])
        consumer.register_callback(lambda body, message: (received.append(body), message.ack()))
        with consumer, connection.Producer() as producer:
            producer.publish(body, routing_key="q")
            while body not in received:
                connection.drain_events(timeout=60)


# ---- TLS ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a key and a certificate for 127.0.0.1, signed by itself."""
    require_part(shutil.which("openssl") is not None, "openssl, which makes the certificate,")
    folder = tmp_path_factory.mktemp("tls")
    key, certificate, both = folder / "key.pem", folder / "certificate.pem", folder / "both.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run([*command.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    return both


@pytest.fixture
def secure_address(valkey_url: str, certificate: Path) -> Iterator[str]:
    """Where the server is reached by TLS alone, through a proxy: the embedded one speaks none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    port = int(valkey_url.rpartition(":")[2].partition("/")[0])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve_tls, args=(listener, context, port), daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def serve_tls(listener: socket.socket, context: ssl.SSLContext, port: int) -> None:
    """Pass on each connection, until the listener is closed."""
    while True:
        try:
            accepted = listener.accept()[0]
        except OSError:
            return
        try:
            client = context.wrap_socket(accepted, server_side=True)
        except OSError:
            accepted.close()
            continue
        server = socket.create_connection(("127.0.0.1", port))
        for source, target in ((client, server), (server, client)):
            threading.Thread(target=copy_bytes, args=(source, target), daemon=True).start()


def copy_bytes(source: socket.socket, target: socket.socket) -> None:
    with closing(source), suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)


def test_secure_scheme_speaks_tls(secure_address: str, certificate: Path) -> None:
    url = f"rediss://{secure_address}/0?ssl_ca_certs={certificate}&ssl_cert_reqs=CERT_REQUIRED"

    exchange_message(Connection(url, transport=transport_for(url)), "over TLS")


async def test_ledger_speaks_tls(secure_address: str, certificate: Path, namespace: str) -> None:
    ledger = RedisLedger(f"rediss://{secure_address}/0?ssl_ca_certs={certificate}", namespace=namespace)
    await ledger.start(new_run())

    assert await ledger.wait_for_outcome("no-such-run") is None
    summary = await ledger.summary("run")
    await ledger.close_connections()
    assert summary
    assert summary.status == "queued"


def test_secure_scheme_verifies_the_server_unless_told_otherwise(secure_address: str) -> None:
    url = f"rediss://{secure_address}/0"

    with Connection(url, transport=transport_for(url)) as connection:
        assert connection.as_uri().startswith("rediss://")
        with pytest.raises(redis.ConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
            connection.connect()
    with Connection(url, transport=transport_for(url), ssl={"ssl_cert_reqs": "none"}) as connection:
        exchange_message(connection, "unverified")


# ---- Sentinel -----------------------------------------------------------------------------------


@contextmanager
def running_sentinel(folder: Path, primary: EmbeddedValkey) -> Iterator[int]:
    """A sentinel that watches a primary as `main`; its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    configuration = folder / "sentinel.conf"
    configuration.write_text(
        f"bind 127.0.0.1\nport {port}\ndir {folder}\nsentinel monitor main 127.0.0.1 {primary.port} 1\n"
        "sentinel down-after-milliseconds main 3000\nsentinel failover-timeout main 2000\n"
    )
    process = subprocess.Popen([find_server(), str(configuration), "--sentinel"], stdout=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.terminate()
        process.wait()


def test_sentinel_leads_to_the_primary_and_after_a_failover_to_the_new_one(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path / "one") as first, EmbeddedValkey(tmp_path / "two") as second:
        redis.Redis.from_url(second.url).replicaof("127.0.0.1", str(first.port))
        with running_sentinel(tmp_path, first) as port, closing(Sentinel([("127.0.0.1", port)])) as sentinel:
            wait_until(lambda: replicas(sentinel), "the sentinel knows the replica")
            url = f"sentinel://127.0.0.1:{port}"
            options = {"master_name": "main", "lease_seconds": 1}
            connection = Connection(url, transport=transport_for(url), transport_options=options)
            exchange_message(connection.clone(), "by the first")

            first.kill()
            wait_until(lambda: primary_port(sentinel) == second.port, "the replica is the primary")

            exchange_message(connection.clone(), "by the second")
            assert connection.as_uri().startswith("sentinel://")


def replicas(sentinel: Sentinel) -> list[object]:
    with suppress(redis.ConnectionError):
        return list(sentinel.discover_slaves("main"))
    return []


def primary_port(sentinel: Sentinel) -> int:
    with suppress(redis.ConnectionError):
        return int(sentinel.discover_master("main")[1])
    return 0
