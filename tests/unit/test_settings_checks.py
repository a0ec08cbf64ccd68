"""Settings that would lose runs are named when a worker starts, or refused."""

from __future__ import annotations

from typing import Any

import pytest
from celery import Celery

from orchestrator import create_app
from orchestrator.celery.checks import find_risky_settings
from orchestrator.settings import Settings

SAFE = Settings(redis_url="redis://127.0.0.1:1/0")


def test_an_app_that_we_make_is_safe() -> None:
    assert find_risky_settings(create_app("safe", settings=SAFE).conf, SAFE) == []


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"worker_deduplicate_successful_tasks": True}, "worker_deduplicate_successful_tasks"),
        ({"accept_content": ["json", "pickle"]}, "pickle"),
        ({"broker_transport": None}, "broker_transport"),
        ({"result_backend_always_retry": False}, "result_backend_always_retry"),
        ({"result_chord_expires": 60}, "result_chord_expires"),
        ({"task_acks_late": False}, "task_acks_late"),
    ],
)
def test_risky_setting_is_named(changes: dict[str, Any], named: str) -> None:
    app = create_app("risky", settings=SAFE)
    app.conf.update(changes)

    [risk] = find_risky_settings(app.conf, SAFE)

    assert named in str(risk)
    assert risk.is_refused == (named == "worker_deduplicate_successful_tasks")


def test_short_lease_is_named() -> None:
    settings = Settings(redis_url="redis://127.0.0.1:1/0", lease_seconds=5)

    [risk] = find_risky_settings(create_app("hasty", settings=settings).conf, settings)

    assert "ORCHESTRATOR_LEASE_SECONDS" in risk.text


def test_retention_that_a_late_message_outlives_is_refused() -> None:
    settings = Settings(redis_url="redis://127.0.0.1:1/0", retention_seconds=60)

    [risk] = find_risky_settings(create_app("forgetful", settings=settings).conf, settings)

    assert risk.is_refused
    assert "90 seconds" in risk.remedy


def test_another_broker_needs_no_transport_of_ours() -> None:
    conf = Celery("other", broker="amqp://").conf
    conf.update(result_backend_always_retry=True, task_acks_late=True, result_chord_expires=0)

    assert find_risky_settings(conf, SAFE) == []
