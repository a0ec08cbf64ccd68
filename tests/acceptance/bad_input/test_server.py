"""A ledger's server that is away or full is named, and what is under way outlasts it."""

from __future__ import annotations

import time

import pytest
import redis

from orchestrator import Agent, create_app
from orchestrator.errors import LedgerFull, LedgerUnavailable
from orchestrator.settings import Settings
from tests.acceptance.bad_input.conftest import SECONDS
from tests.acceptance.shop import Shop
from tests.support.model_scripts import ModelScripts
from tests.support.model_server import Reply, message
from tests.support.stack import wait_until


def test_absent_server_is_named_within_seconds() -> None:
    agent = Agent("nowhere")
    create_app("nowhere", agents=[agent], settings=Settings(redis_url="redis://127.0.0.1:1/0"))
    began = time.monotonic()

    with pytest.raises(
        LedgerUnavailable, match=r"127\.0\.0\.1:1/0 cannot be reached\. Start one with `orchestrator up`"
    ):
        agent.submit("hello")
    assert time.monotonic() - began < 60


def test_full_server_is_named(shop: Shop, server: redis.Redis) -> None:
    server.config_set("maxmemory", 1)
    try:
        with pytest.raises(LedgerFull, match=r"has no memory left\. Raise its `maxmemory`"):
            shop.triage.submit("a")
    finally:
        server.config_set("maxmemory", 0)


def test_run_under_way_outlasts_a_full_server(shop: Shop, scripts: ModelScripts, server: redis.Redis, key: str) -> None:
    scripts.add(key, Reply(items=[message("late")], delay_seconds=0.6))
    run = shop.echo.submit(key, queue="model")
    wait_until(lambda: scripts.asked(key), "the model is asked")

    server.config_set("maxmemory", 1)
    time.sleep(1.2)
    server.config_set("maxmemory", 0)

    assert run.result(SECONDS) == "late"
