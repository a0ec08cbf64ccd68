"""Looks for Celery settings under which runs, or the tasks around them, could be lost or run twice."""

from __future__ import annotations

from typing import Any

from orchestrator.settings import Settings

CHORD_CLAIM_SECONDS = 23.0
"""How long Celery holds its claim to a chord's body: see docs/protocol.md, section 6."""


def find_risky_settings(conf: Any, settings: Settings) -> list[str]:
    """What is risky in an app's configuration, each with its remedy. Empty: nothing is."""
    risks = []
    if conf.worker_deduplicate_successful_tasks:
        risks.append(
            "worker_deduplicate_successful_tasks is on: a chord whose member is delivered again never runs its body. "
            "Turn it off; the ledger recognises what is delivered twice."
        )
    if unsafe := sorted({"pickle", "application/x-python-serialize", "yaml"} & set(conf.accept_content or ())):
        risks.append(f"accept_content allows {unsafe}: a message could run code here. Allow `json` alone.")
    if settings.lease_seconds < CHORD_CLAIM_SECONDS:
        risks.append(
            f"ORCHESTRATOR_LEASE_SECONDS is {settings.lease_seconds:g}: below {CHORD_CLAIM_SECONDS:g}, a chord of "
            f"agents can lose its body when a worker dies. Raise it, unless no agent is a member of a chord."
        )
    if _is_redis(conf.broker_url) and not conf.broker_transport:
        risks.append(
            "The broker is Redis on kombu's own transport: a killed worker loses a message now and then, and a long "
            'task runs again. Set broker_transport = "orchestrator.celery.transport:Transport".'
        )
    if not conf.result_backend_always_retry:
        risks.append(
            "result_backend_always_retry is off: a restart of the result backend turns tasks that just ended into "
            "failures. Turn it on."
        )
    return risks


def _is_redis(url: Any) -> bool:
    return isinstance(url, str) and url.startswith(("redis://", "rediss://", "sentinel://"))
