"""Looks for Celery settings under which runs, or the tasks around them, could be lost or run twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from orchestrator.risks import Risk
from orchestrator.settings import Settings

CHORD_CLAIM_SECONDS = 23.0
"""How long Celery holds its claim to a chord's body: see docs/protocol.md, section 6."""
LATEST_DUPLICATE_SECONDS = 60.0
"""A message whose worker died before it acknowledged comes again within a lease; this is on top, to be safe."""


def find_risky_settings(conf: Any, settings: Settings) -> list[Risk]:
    """What is risky in an app's configuration. Empty: nothing is."""
    return [*_risky_tasks(conf), *_risky_times(conf, settings), *_risky_servers(conf)]


def _risky_tasks(conf: Any) -> Iterator[Risk]:
    if conf.worker_deduplicate_successful_tasks:
        yield Risk(
            "worker_deduplicate_successful_tasks is on: a chord whose member is delivered again never runs its body.",
            "Turn it off; the ledger recognises what is delivered twice.",
            is_refused=True,
        )
    # A warning only: whoever may write to the broker could have code run before, and the app's own tasks may need it.
    if unsafe := sorted({"pickle", "application/x-python-serialize", "yaml"} & set(conf.accept_content or ())):
        yield Risk(f"accept_content allows {unsafe}: a message could run code here.", "Allow `json` alone.")
    if not conf.task_acks_late:
        yield Risk(
            "task_acks_late is off: of a chain or chord around agents, an ordinary task is lost with its worker.",
            "Turn it on, with task_reject_on_worker_lost. Agents' own tasks are late in any case.",
        )


def _risky_times(conf: Any, settings: Settings) -> Iterator[Risk]:
    shortest = settings.lease_seconds + LATEST_DUPLICATE_SECONDS
    if settings.retention_seconds < shortest:
        yield Risk(
            f"ORCHESTRATOR_RETENTION_SECONDS is {settings.retention_seconds:g}: a message that comes again after that "
            "begins its run again.",
            f"Keep ended runs for {shortest:g} seconds at least.",
            is_refused=True,
        )
    if settings.lease_seconds < CHORD_CLAIM_SECONDS:
        yield Risk(
            f"ORCHESTRATOR_LEASE_SECONDS is {settings.lease_seconds:g}: below {CHORD_CLAIM_SECONDS:g}, a chord of "
            "agents can lose its body when a worker dies.",
            "Raise it, unless no agent is a member of a chord.",
        )
    if conf.result_chord_expires != 0:
        yield Risk(
            "result_chord_expires is not 0: a chord with a member that takes longer, a run that waits for days, say, "
            "never runs its body.",
            "Set it to 0.",
        )


def _risky_servers(conf: Any) -> Iterator[Risk]:
    if _is_redis(conf.broker_url) and not conf.broker_transport:
        yield Risk(
            "The broker is Redis on kombu's own transport: a killed worker loses a message now and then, and a long "
            "task runs again.",
            'Set broker_transport = "orchestrator.celery.transport:Transport".',
        )
    if not conf.result_backend_always_retry:
        yield Risk(
            "result_backend_always_retry is off: a restart of the result backend turns tasks that just ended into "
            "failures.",
            "Turn it on.",
        )


def _is_redis(url: Any) -> bool:
    return isinstance(url, str) and url.startswith(("redis://", "rediss://", "sentinel://"))
