"""Finds ports of this machine that are free, and asks servers on them whether they are there."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from typing import Any

HOST = "127.0.0.1"
ANSWER_SECONDS = 2.0


def choose_port(preferred: int) -> int:
    """The preferred port if it is free, else another."""
    return preferred if is_free(preferred) else free_port()


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Whether a server could listen on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def answers_http(url: str) -> bool:
    """Whether a server answers with success."""
    return read_url(url) is not None


def read_json(url: str) -> Any:
    """The JSON at a URL of this machine; `None` if there is none."""
    body = read_url(url)
    try:
        return None if body is None else json.loads(body)
    except ValueError:
        return None


def read_url(url: str) -> bytes | None:
    """What a URL of this machine answers; `None` for an error."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy knows nothing of our loopback
    try:
        with direct.open(url, timeout=ANSWER_SECONDS) as response:
            found: bytes = response.read()
            return found
    except (OSError, ValueError, urllib.error.URLError):
        return None
