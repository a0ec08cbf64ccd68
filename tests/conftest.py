"""Fixtures for all tests: a real Valkey server, and a namespace of one's own in it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from orchestrator.embedded import EmbeddedValkey


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: what is left at the end is then short, and keeps all processes busy."""
    slow_files = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow_files)


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server that lives as long as the test session."""
    with EmbeddedValkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server.url


@pytest.fixture
def namespace() -> str:
    """A prefix for keys that no other test uses."""
    return f"test-{uuid.uuid4().hex[:12]}"
