"""A RabbitMQ of a test's own: Debian's, with its node, ports and data in a folder."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from kombu import Connection

from tests.support.debian_parts import require_part

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""Debian's script that does not change to a user of its own."""
START_SECONDS = 120.0
STOP_SECONDS = 60.0


def require_rabbitmq() -> None:
    """Skips the test where RabbitMQ is not installed; fails it where CI was to install it."""
    require_part(SERVER.exists(), str(SERVER))


class RabbitMQ:
    """A broker on this machine's loopback. A context manager: ends it, and Erlang's port mapper with it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port, self._distribution_port, self._mapper_port = _find_free_ports(3)
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self._port}//"

    def __enter__(self) -> RabbitMQ:
        self._folder.mkdir(parents=True)
        plugins = self._folder / "enabled_plugins"
        plugins.write_text("[].\n", encoding="utf-8")
        environment = {
            **os.environ,
            "HOME": str(self._folder),  # for Erlang's cookie
            "ERL_EPMD_PORT": str(self._mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"test{self._port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_MNESIA_BASE": str(self._folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            "RABBITMQ_CONFIG_FILE": str(self._folder / "none"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(self._folder / "config"),
        }
        # Left to itself, Erlang would start a port mapper that stays for ever.
        self._start(["epmd"], environment)
        self._start([SERVER], environment)
        self._wait_until_ready()
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _start(self, command: Sequence[str | Path], environment: Mapping[str, str]) -> None:
        with (self._folder / "server.log").open("ab") as log:
            # A session of its own: the server's script and Erlang end together.
            process = subprocess.Popen(
                command, env=environment, cwd=self._folder, stdout=log, stderr=log, start_new_session=True
            )
        self._processes.append(process)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            said = (self._folder / "server.log").read_text(encoding="utf-8", errors="replace")
            assert self._processes[-1].poll() is None, f"RabbitMQ ended:\n{said}"
            assert time.monotonic() < deadline, f"RabbitMQ does not answer after {START_SECONDS:g} s:\n{said}"
            time.sleep(0.2)

    def _answers(self) -> bool:
        try:
            with Connection(self.url, connect_timeout=2) as connection:
                connection.connect()
        except OSError:
            return False
        return True


def _find_free_ports(count: int) -> list[int]:
    """All open at once, so that no two are the same."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports
