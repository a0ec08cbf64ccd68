"""What `doctor` looks at, one check a thing that has to work, each with its remedy."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from orchestrator.celery.checks import find_risky_settings
from orchestrator.cli.apps import LoadedApp
from orchestrator.cli.console import mask_url
from orchestrator.cli.ports import answers_http
from orchestrator.cli.workspace import Workspace
from orchestrator.embedded import find_server
from orchestrator.errors import LedgerError, OrchestratorError
from orchestrator.ledger.base import AgentRecord
from orchestrator.loop import background
from orchestrator.models.resolve import describe_model
from orchestrator.settings import Settings

CheckState = Literal["ok", "note", "problem"]
DEFAULT_FLOWER = "http://127.0.0.1:5555"
REPLY_SECONDS = 3.0
NAMED_REPLY_SECONDS = 8.0
"""For workers that are known, on a machine that is very busy: an answer is complete when all of them have answered."""


@dataclass(frozen=True)
class Check:
    """One finding. A `note` is nothing that runs need."""

    name: str
    state: CheckState
    text: str
    remedy: str = ""


@dataclass(frozen=True)
class AgentRow:
    """A task, and the workers that have loaded it."""

    task: str
    queue: str
    module: str
    workers: list[str]


def describe_settings(settings: Settings) -> dict[str, str]:
    """The settings as text, secrets hidden, those that are not set left out."""
    shown = {}
    for name, value in settings.model_dump().items():
        if value is None:
            continue
        if name.endswith(("_key", "_token", "_password")):
            shown[name] = "set (hidden)"
        else:
            shown[name] = mask_url(value) if name.endswith("_url") else str(value)
    return shown


def check_setup(workspace: Workspace) -> Iterator[Check]:
    """The app, the model, the stack of this folder."""
    try:
        loaded = workspace.loaded
    except OrchestratorError as error:
        yield Check("app", "problem", error.message, "Name a module that can be imported from here: -A module[:attr].")
        return
    registry = loaded.orchestrator.registry
    remedy = "" if registry.agents else "Give agents=[…] or modules=[…] to create_app() or install()."
    yield Check("app", "ok" if registry.agents else "problem", f"{loaded.spec}, {len(registry.agents)} agents", remedy)
    model = describe_model(loaded.orchestrator.settings)
    yield Check("model", "note" if model.startswith("rehearsal") else "ok", model)
    yield _check_stack(workspace)


def check_reach(workspace: Workspace) -> Iterator[Check]:
    """The ledger, the broker, Flower."""
    loaded = workspace.loaded
    try:
        background.run(loaded.orchestrator.ledger.ping())
        yield Check("ledger", "ok", f"{mask_url(loaded.orchestrator.ledger_url)} answers")
    except LedgerError as error:
        yield Check("ledger", "problem", error.message, "Start one: orchestrator up. Or set ORCHESTRATOR_REDIS_URL.")
    yield _check_broker(loaded)
    yield _check_flower(workspace)


def check_risks(loaded: LoadedApp) -> Iterator[Check]:
    """What a worker would warn of, or not start with."""
    orchestrator = loaded.orchestrator
    risks = [*find_risky_settings(loaded.app.conf, orchestrator.settings)]
    risks += background.run(orchestrator.ledger.risks())
    for risk in risks:
        is_refused = risk.is_refused and not orchestrator.settings.accept_risks
        yield Check("risk", "problem" if is_refused else "note", risk.text, risk.remedy)


def check_workers(loaded: LoadedApp, consumed: dict[str, list[str]], rows: list[AgentRow]) -> Iterator[Check]:
    """That workers answer, have loaded every agent, and take from its queue."""
    if not consumed:
        yield Check("workers", "problem", "no worker answers", "Start some: orchestrator up, or orchestrator worker.")
        return
    yield Check("workers", "ok", f"{len(consumed)} answer: {', '.join(sorted(consumed))}")
    taken = {queue for queues in consumed.values() for queue in queues}
    for row in rows:
        if not row.workers:
            module = f" module `{row.module}`" if row.module else " its module"
            yield Check(row.task, "problem", "no worker has loaded it", f"Start a worker whose app loads{module}.")
        elif row.queue not in taken:
            remedy = f"Start a worker for it: orchestrator worker -Q {row.queue}"
            yield Check(row.task, "problem", f"no worker takes from its queue `{row.queue}`", remedy)


def consumed_queues(loaded: LoadedApp, rows: list[AgentRow]) -> dict[str, list[str]]:
    """The workers that answer, and the queues that each takes from."""
    # Of those that nobody knows, only time tells whether all have answered.
    known = sorted({worker for row in rows for worker in row.workers})
    seconds = NAMED_REPLY_SECONDS if known else REPLY_SECONDS
    answers = loaded.app.control.inspect(destination=known or None, timeout=seconds).active_queues() or {}
    return {node: [queue["name"] for queue in queues] for node, queues in answers.items()}


def agent_rows(loaded: LoadedApp) -> list[AgentRow]:
    """Every task that the app or a live worker knows."""
    known = background.run(loaded.orchestrator.ledger.loaded())
    live: dict[str, list[AgentRecord]] = {}
    for record in known:
        if record.is_live:
            live.setdefault(record.task, []).append(record)
    tasks = sorted({*loaded.orchestrator.modules, *live})
    return [_as_row(loaded, task, live.get(task, [])) for task in tasks]


def _as_row(loaded: LoadedApp, task: str, records: list[AgentRecord]) -> AgentRow:
    kind, _, name = task.partition(".")
    registry = loaded.orchestrator.registry
    item: Any = registry.tools.get(name) if kind == "tools" else registry.find(name)
    declared = item.queue if item is not None else next((record.queue for record in records), None)
    module = loaded.orchestrator.modules.get(task) or next((record.module for record in records), "")
    queue = declared or loaded.app.conf.task_default_queue
    return AgentRow(task, queue, module, sorted(record.worker for record in records))


def _check_stack(workspace: Workspace) -> Check:
    if workspace.stack is not None:
        return Check("stack", "ok", f"`orchestrator up` runs here (pid {workspace.stack.keeper.pid})")
    if workspace.given_url:
        return Check("stack", "note", "ORCHESTRATOR_REDIS_URL names the server")
    try:
        return Check("stack", "note", f"`orchestrator up` does not run here; it would start {find_server()}")
    except OrchestratorError as error:
        return Check("stack", "note", error.message)


def _check_broker(loaded: LoadedApp) -> Check:
    url = mask_url(str(loaded.app.conf.broker_url))
    try:
        with loaded.app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0.1, timeout=3)
    except Exception as error:  # every transport has errors of its own
        return Check(
            "broker", "problem", f"{url} does not answer: {error}", "Start it, or correct the app's broker URL."
        )
    return Check("broker", "ok", f"{url} answers")


def _check_flower(workspace: Workspace) -> Check:
    url = (workspace.stack.flower_url if workspace.stack else None) or DEFAULT_FLOWER
    if answers_http(f"{url}/healthcheck"):
        return Check("flower", "ok", url)
    if importlib.util.find_spec("flower") is None:
        return Check("flower", "note", "not installed", "pip install 'celery-orchestrator[flower]'")
    return Check("flower", "note", f"does not answer at {url}", "orchestrator up starts it.")
