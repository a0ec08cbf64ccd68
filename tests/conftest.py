"""Fixtures for all tests: a real Valkey server, and a namespace of one's own in it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from orchestrator.embedded import EmbeddedValkey


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server that lives as long as the test session."""
    with EmbeddedValkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server.url


@pytest.fixture
def namespace() -> str:
    """A prefix for keys that no other test uses."""
    return f"test-{uuid.uuid4().hex[:12]}"
