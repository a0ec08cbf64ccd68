"""Into the Celery app that you have, or a new one: `install()` and `create_app()`."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any

from celery import Celery

from orchestrator.agent import Agent
from orchestrator.celery.result_store import use_looking_backends
from orchestrator.celery.runtime import Orchestrator
from orchestrator.celery.transport import transport_for
from orchestrator.celery.worker import add_worker_steps
from orchestrator.errors import UserError
from orchestrator.flow import Flow
from orchestrator.hooks import RunHooks
from orchestrator.limits import Limit, check_limits
from orchestrator.settings import Settings, load_settings

SAFE_DEFAULTS: dict[str, Any] = {
    # Messages and results are JSON: nothing that comes from the broker is ever unpickled.
    "accept_content": ["json"],
    "task_serializer": "json",
    "result_serializer": "json",
    # A message is acknowledged when its work is done, and comes back when its worker dies.
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "worker_prefetch_multiplier": 1,
    # Skipping redelivered tasks by their stored state loses chords; the ledger's fence does that job.
    "worker_deduplicate_successful_tasks": False,
    # A broker restart must not turn running tasks into failures.
    "result_backend_always_retry": True,
    "result_backend_max_retries": 50,
    "redis_retry_on_timeout": True,
    "broker_connection_retry_on_startup": True,
    # A publish outlasts a restart of the broker: one that fails ends a chain and fails the task that had just ended.
    # Celery holds its claim to a chord's body for as long as these could take, 23 s: it must be shorter than a lease.
    "broker_connection_timeout": 2.0,
    "task_publish_retry_policy": {"max_retries": 6, "interval_start": 0, "interval_step": 0.5, "interval_max": 2},
    # One backend connection pool for all threads, not one a thread.
    "result_backend_thread_safe": True,
    # A chord's counters must outlive its slowest member: a run may wait for days.
    "result_chord_expires": 0,
    # Hundreds of invocations at once in one process. For processes of CPU-bound tools: `-P processes`, because
    # Celery's command line takes `-P prefork` for its default, which gives way to this setting.
    "worker_pool": "orchestrator.celery.pool:TaskPool",
    # Flower lives on events.
    "worker_send_task_events": True,
    "task_send_sent_event": True,
}
"""What `create_app` sets, each for the reason beside it. `docs/operations.md` has the measurements."""


def create_app(
    name: str = "orchestrator",
    *,
    agents: Iterable[Agent[Any]] = (),
    flows: Iterable[Flow] = (),
    modules: Iterable[str | ModuleType] = (),
    settings: Settings | None = None,
    hooks: Sequence[RunHooks] = (),
    limits: Sequence[Limit] | None = None,
    **conf: Any,
) -> Celery:
    """A Celery app with safe defaults, and agents and flows installed; `conf` overrides any Celery setting.

    `limits` replace those of the settings. On a Redis broker it uses a transport that loses no message
    (`orchestrator.celery.transport`), on a Redis backend one whose `get()` misses no result (`result_store`).
    """
    settings = settings or load_settings()
    if limits is not None:
        check_limits(limits)
        settings = settings.model_copy(update={"limits": tuple(limits)})
    app = Celery(name, broker=settings.redis_url, backend=settings.redis_url)
    use_looking_backends(app)
    app.conf.update({**SAFE_DEFAULTS, **conf})
    # Asked of the app, because a URL in `conf` or in CELERY_BROKER_URL goes before the one in our settings.
    if not app.conf.broker_transport and (transport := transport_for(app.conf.broker_url)):
        app.conf.broker_transport = transport
    install(app, agents=agents, flows=flows, modules=modules, settings=settings, hooks=hooks)
    return app


def install(
    app: Celery,
    *,
    agents: Iterable[Agent[Any]] = (),
    flows: Iterable[Flow] = (),
    modules: Iterable[str | ModuleType] = (),
    settings: Settings | None = None,
    hooks: Sequence[RunHooks] = (),
) -> Orchestrator:
    """Make agents and flows tasks of this app. Every agent and flow at the top level of `modules` is taken.

    Agents bring along all that they hand over to or call, flows their steps. May be called again with more.
    Raises `DuplicateName` for two of one name and `UserError` for a module that has none.
    """
    orchestrator = getattr(app, "orchestrator", None)
    if orchestrator is None:
        orchestrator = Orchestrator(app, settings or load_settings(), hooks)
        app.orchestrator = orchestrator
        add_worker_steps(app, orchestrator)
    elif settings is not None or hooks:
        raise UserError("This app has an orchestrator already: give settings and hooks to the first install() only.")
    for given in (*agents, *flows):
        orchestrator.add([given], module=app.main or "")
    for module in modules:
        loaded = importlib.import_module(module) if isinstance(module, str) else module
        found = [value for value in vars(loaded).values() if isinstance(value, Agent | Flow)]
        if not found:
            raise UserError(f"Module `{loaded.__name__}`, given to install(), has no Agent or Flow at its top level.")
        orchestrator.add(found, module=loaded.__name__)
    return orchestrator
