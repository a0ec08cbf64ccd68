"""A worker does not start where runs would surely be lost or repeated, and says why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.support.stack import Stack, wait_until

pytestmark = pytest.mark.slow

FORGETFUL = {"ORCHESTRATOR_RETENTION_SECONDS": "1"}


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with Stack(tmp_path, app="tests.acceptance.shop_app") as stack:
        yield stack


def test_worker_refuses_a_setting_that_repeats_runs(stack: Stack) -> None:
    worker = stack.start_worker(environment=FORGETFUL, wait=False)

    wait_until(lambda: not worker.is_running, "the worker has ended", timeout_seconds=120)

    assert worker.exit_code == 1
    assert "This worker does not start: ORCHESTRATOR_RETENTION_SECONDS is 1" in worker.log
    assert "ready." not in worker.log


def test_worker_refuses_a_server_that_throws_runs_away(stack: Stack) -> None:
    with redis.Redis.from_url(stack.url) as client:
        client.config_set("maxmemory", "100mb")
        client.config_set("maxmemory-policy", "allkeys-lru")

    worker = stack.start_worker(wait=False)

    wait_until(lambda: not worker.is_running, "the worker has ended", timeout_seconds=120)
    assert "maxmemory-policy noeviction" in worker.log


def test_risks_can_be_accepted(stack: Stack) -> None:
    worker = stack.start_worker(environment={**FORGETFUL, "ORCHESTRATOR_ACCEPT_RISKS": "true"})

    assert "Risky setting: ORCHESTRATOR_RETENTION_SECONDS is 1" in worker.log
