"""What every worker does beside its tasks: moves on runs whose deadline has passed, and says what it has loaded."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from celery import Celery, bootsteps, signals

from orchestrator.celery.checks import find_risky_settings
from orchestrator.celery.event_batches import EventBatches
from orchestrator.errors import LedgerError
from orchestrator.health import Health, write_health
from orchestrator.ledger.base import AgentRecord
from orchestrator.loop import background
from orchestrator.loop_watch import LoopWatch
from orchestrator.models.resolve import warm_up
from orchestrator.resources import close_resources

if TYPE_CHECKING:
    from orchestrator.celery.runtime import Orchestrator

logger = logging.getLogger(__name__)

RECONCILE_SECONDS = 1.0
RECONCILE_LIMIT = 100
ANNOUNCE_SECONDS = 10.0
ACCEPT = "ORCHESTRATOR_ACCEPT_RISKS"


class Keeper:
    """The worker's own coroutine. No leader: every worker does this, the ledger's scripts see to the rest."""

    def __init__(self, orchestrator: Orchestrator, worker: str) -> None:
        self._orchestrator = orchestrator
        self._worker = worker
        self._future: Future[None] | None = None
        self._announced_at = 0.0
        self._warming_up: asyncio.Future[None] | None = None
        self._watch = LoopWatch(background)

    def start(self) -> None:
        """Begin, on the background loop."""
        self._future = asyncio.run_coroutine_threadsafe(self._keep(), background.loop)
        self._watch.start()

    def stop(self) -> None:
        """End at once; whatever is left undone the next worker does."""
        self._watch.stop()
        if self._future is not None:
            self._future.cancel()

    async def _keep(self) -> None:
        warming_up = asyncio.to_thread(warm_up, self._orchestrator.settings)
        self._warming_up = asyncio.ensure_future(warming_up)  # beside the rest: others wait for our first word
        while True:
            has_ledger = await self._look_after_runs()
            if file := self._orchestrator.settings.health_file:
                in_flight = self._orchestrator.engine.renewer.held
                write_health(file, Health(worker=self._worker, at=time.time(), in_flight=in_flight, ledger=has_ledger))
            await asyncio.sleep(RECONCILE_SECONDS)

    async def _look_after_runs(self) -> bool:
        """One round; False if the ledger does not answer."""
        try:
            if time.monotonic() - self._announced_at > ANNOUNCE_SECONDS:
                await self._announce()
                self._announced_at = time.monotonic()
            await self._reconcile()
        except LedgerError as error:
            logger.warning("The ledger cannot be reached, trying again: %s", error)
            return False
        except Exception:
            logger.exception("Moving on overdue runs failed, trying again")
        return True

    async def _reconcile(self) -> None:
        if (limiter := self._orchestrator.engine.limiter) is not None:
            await limiter.look_around()
        pointers = await self._orchestrator.ledger.reconcile(RECONCILE_LIMIT)
        if pointers:
            logger.info("Publishing %d overdue steps again, the first of run %s", len(pointers), pointers[0].run_id)
            await self._orchestrator.client.send(pointers)

    async def _announce(self) -> None:
        now = time.time()
        records = [
            AgentRecord(task, module, self._queue_of(task), self._worker, now)
            for task, module in self._orchestrator.modules.items()
        ]
        await self._orchestrator.ledger.announce(records, expire_seconds=3 * ANNOUNCE_SECONDS)

    def _queue_of(self, task: str) -> str:
        """Where this app sends the task: producers that only know its name may have another default queue."""
        kind, _, name = task.partition(".")
        registry = self._orchestrator.registry
        declared = registry.tool(name).queue if kind == "tools" else (registry.flows | registry.agents)[name].queue
        routed = self._orchestrator.app.amqp.router.route({}, task).get("queue")
        return declared or str(getattr(routed, "name", routed))


def add_worker_steps(app: Celery, orchestrator: Orchestrator) -> None:
    """Make every worker of this app keep its runs going."""

    class KeeperStep(bootsteps.StartStopStep):  # type: ignore[misc]
        requires = {"celery.worker.components:Pool"}  # noqa: RUF012 - after the pool has forked

        def __init__(self, parent: Any, **kwargs: Any) -> None:
            super().__init__(parent, **kwargs)
            self._keeper = Keeper(orchestrator, parent.hostname)
            orchestrator.publisher.tells_of_tasks = parent.task_events  # before the pool forks

        def start(self, parent: Any) -> None:
            _refuse_risks(orchestrator)
            self._keeper.start()

        def stop(self, parent: Any) -> None:
            self._keeper.stop()

    app.steps["worker"].add(KeeperStep)
    app.steps["consumer"].add(EventBatches)
    signals.worker_shutting_down.connect(_stop_soon(orchestrator), weak=False)
    signals.worker_process_shutdown.connect(_close_resources, weak=False)
    signals.worker_shutdown.connect(_close_resources, weak=False)


def _refuse_risks(orchestrator: Orchestrator) -> None:
    """Name what is risky; end the worker where runs would surely be lost or repeated."""
    settings = orchestrator.settings
    risks = find_risky_settings(orchestrator.app.conf, settings)
    try:
        risks += background.run(orchestrator.ledger.risks())
    except LedgerError as error:
        logger.warning("The ledger's server cannot be looked at: %s", error)
    for risk in risks:
        logger.warning("Risky setting: %s", risk)
    if any(risk.is_refused for risk in risks) and not settings.accept_risks:
        names = " ".join(str(risk) for risk in risks if risk.is_refused)
        logger.critical("This worker does not start: %s To start it all the same, set %s=true.", names, ACCEPT)
        raise SystemExit(1)


def _stop_soon(orchestrator: Orchestrator) -> Callable[..., None]:
    def stop(**kwargs: Any) -> None:
        shutdown, grace = orchestrator.engine.shutdown, orchestrator.settings.shutdown_grace_seconds
        background.loop.call_soon_threadsafe(shutdown.begin)
        background.loop.call_soon_threadsafe(background.loop.call_later, grace, shutdown.hurry)

    return stop


def _close_resources(**kwargs: Any) -> None:
    close_resources()
    background.close()
