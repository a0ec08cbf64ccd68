"""Which processes an app needs: queues, worker processes, Flower. Pure, but for looking at the app."""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from orchestrator.cli.apps import LoadedApp

LLM_CONCURRENCY = 200
"""Invocations that one process works on at once. They wait for models, so many fit."""


@dataclass(frozen=True)
class ProcessPlan:
    """A process to start."""

    name: str
    arguments: list[str]
    is_needed: bool = True
    """Whether the stack is of no use without it."""
    node: str | None = None
    """The worker's name on Celery, if it is one."""
    purpose: str = ""


def plan_workers(loaded: LoadedApp, *, workers: int, concurrency: int | None, host: str) -> list[ProcessPlan]:
    """The worker processes: several for agents, and one for tools that have queues of their own."""
    agents, tools = agent_queues(loaded), tool_queues(loaded)
    plans = [
        _plan_worker(
            loaded.spec,
            f"llm{number}",
            [*pool_arguments(concurrency or LLM_CONCURRENCY), "-Q", ",".join(agents)],
            f"queues: {', '.join(agents)}",
            host,
        )
        for number in range(1, workers + 1)
    ]
    if tools:
        # Not `-P prefork`: Celery takes that for its default, which gives way to the app's `worker_pool`.
        arguments = ["-P", "processes", "-c", str(os.cpu_count() or 1), "-O", "fair", "-Q", ",".join(tools)]
        plans.append(_plan_worker(loaded.spec, "cpu", arguments, f"queues of tools: {', '.join(tools)}", host))
    return plans


def plan_flower(loaded: LoadedApp, *, port: int) -> ProcessPlan | None:
    """Flower, with the configuration beside the app's module if there is one; `None` if it is not installed."""
    if importlib.util.find_spec("flower") is None:
        return None
    arguments = ["flower", "--address=127.0.0.1", f"--port={port}"]
    configuration = Path(loaded.module.__file__ or "").parent / "flowerconfig.py"
    if configuration.is_file():
        arguments.append(f"--conf={configuration}")
    return ProcessPlan("flower", celery_command(loaded.spec, arguments), is_needed=False)


def celery_command(spec: str, arguments: list[str]) -> list[str]:
    """A Celery command line for the app, with this Python."""
    return [sys.executable, "-m", "celery", "-A", spec, *arguments]


POOL_ENVIRONMENT = {"CELERY_CUSTOM_WORKER_POOL": "orchestrator.celery.pool:TaskPool"}
"""What Celery reads `-P custom` from."""


def pool_arguments(concurrency: int) -> list[str]:
    """Our pool, whatever the app's settings say. The process needs `POOL_ENVIRONMENT`."""
    return ["-P", "custom", "-c", str(concurrency)]


def agent_queues(loaded: LoadedApp) -> list[str]:
    """The queues that agents and flows, and the app's own tasks, are sent to."""
    conf, registry = loaded.app.conf, loaded.orchestrator.registry
    routed = [found.queue or _route(loaded, found.task_name) for found in registry.runnables()]
    declared = [queue.name for queue in conf.task_queues or ()]
    others = set(tool_queues(loaded)) - {found.queue for found in registry.runnables()}
    found = dict.fromkeys([conf.task_default_queue, *routed, *declared])
    return [name for name in found if name not in others]


def tool_queues(loaded: LoadedApp) -> list[str]:
    """The queues of tools that have one, and that no agent or flow uses."""
    registry = loaded.orchestrator.registry
    taken = {found.queue for found in registry.runnables()} | {loaded.app.conf.task_default_queue}
    return sorted({tool.queue for tool in registry.tools.values() if tool.queue and tool.queue not in taken})


def _plan_worker(spec: str, name: str, arguments: list[str], purpose: str, host: str) -> ProcessPlan:
    shared = ["-n", f"{name}@%h", "-E", "--loglevel=INFO", "--without-gossip", "--without-mingle"]
    command = celery_command(spec, ["worker", *arguments, *shared])
    return ProcessPlan(name, command, node=f"{name}@{host}", purpose=purpose)


def _route(loaded: LoadedApp, task: str) -> str:
    queue = loaded.app.amqp.router.route({}, task).get("queue")
    return str(getattr(queue, "name", queue) or loaded.app.conf.task_default_queue)
