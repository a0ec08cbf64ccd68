"""The workloads on plain Celery: a task runs the Agents SDK's whole loop, on the threads pool, acknowledged late."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Any

from agents import Agent, Runner
from celery import Celery

from benchmarks.apps.agents_sdk import make_agents, refine
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
    def run(given: Any) -> str:
        return str(Runner.run_sync(_local.agents[workload], given, max_turns=MAX_TURNS).final_output)

    return app.task(name=f"plain.{workload}")(run)


def _refine(given: str) -> str:
    agents = make_agents()

    async def ask(workload: str, text: str) -> str:
        return str((await Runner.run(agents[workload], text)).final_output)

    return asyncio.run(refine(ask, given))


def _collect(answers: list[str]) -> str:
    return answers[0]


TASKS = {workload: _register(workload) for workload in WORKLOADS}
TASKS["refine"] = app.task(name="plain.refine")(_refine)
COLLECT: Any = app.task(name="plain.collect")(_collect)
