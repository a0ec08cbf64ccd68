"""The workloads on plain Celery: a task runs the Agents SDK's whole loop, on the threads pool, acknowledged late."""

from __future__ import annotations

import os
import threading
from typing import Any

from agents import Agent, Runner
from celery import Celery

from benchmarks.apps.agents_sdk import make_agents
from benchmarks.apps.workloads import MAX_TURNS, WORKLOADS

app = Celery("plain", broker=os.environ["ORCHESTRATOR_REDIS_URL"], backend=os.environ["ORCHESTRATOR_REDIS_URL"])
app.conf.update(
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    result_backend_thread_safe=True,
    broker_connection_retry_on_startup=True,
)


class ThreadAgents(threading.local):
    """Agents of this thread, whose event loop `run_sync` keeps."""

    def __init__(self) -> None:
        self.agents: dict[str, Agent[Any]] = make_agents()


_local = ThreadAgents()


def _register(workload: str) -> Any:
    def run(items: list[dict[str, str]] | str) -> str:
        given: Any = items[0]["content"] if isinstance(items, list) and len(items) == 1 else items
        return str(Runner.run_sync(_local.agents[workload], given, max_turns=MAX_TURNS).final_output)

    return app.task(name=f"plain.{workload}")(run)


TASKS = {workload: _register(workload) for workload in WORKLOADS}
