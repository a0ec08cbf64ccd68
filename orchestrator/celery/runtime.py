"""`Orchestrator`: what ties agents, ledger and one Celery app together in a process."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import Any

from celery import Celery
from celery.schedules import crontab

from orchestrator.celery.canvas import CanvasMaker
from orchestrator.celery.continuation import read_continuation
from orchestrator.celery.delivery import message_id_of
from orchestrator.celery.message import FirstMessage, StepMessage, read_message, write_arguments
from orchestrator.celery.publish import CeleryPublisher
from orchestrator.celery.schedules import TICK, describe_tick
from orchestrator.celery.task import InvocationTask
from orchestrator.celery.task_runner import CeleryTaskRunner, add_hasten_task
from orchestrator.celery.tracer import wait_for
from orchestrator.client import Client
from orchestrator.engine import Engine, Performed
from orchestrator.flow import Flow
from orchestrator.hooks import RunHooks
from orchestrator.ledger.base import Claim, Ledger, LedgerSettings, NewRun
from orchestrator.ledger.limits import LimitStore
from orchestrator.ledger.limits_redis import RedisLimitStore
from orchestrator.ledger.redis import RedisLedger
from orchestrator.limiter import Limiter
from orchestrator.loop import background
from orchestrator.perform import perform
from orchestrator.registry import Registry
from orchestrator.renewer import Renewer
from orchestrator.run import Run
from orchestrator.runnable import Runnable
from orchestrator.session import Compaction, Session
from orchestrator.settings import Settings
from orchestrator.side_runs import LocalSideRuns, carry_out_here
from orchestrator.submission import new_run


class Orchestrator:
    """Agents on one Celery app. Made by `install()`; found again as `app.orchestrator`."""

    def __init__(self, app: Celery, settings: Settings, hooks: Sequence[RunHooks] = ()) -> None:
        self.app = app
        self.settings = settings
        self.registry = Registry()
        self.modules: dict[str, str] = {}
        """Task name to the module that its agent came from."""
        self._hooks = tuple(hooks)
        self._engine: Engine | None = None
        self._engine_pid = 0
        background.on_close(self._let_go)
        add_hasten_task(app, lambda: self.ledger)
        self.publisher = CeleryPublisher(app)
        self.client = Client(lambda: self.ledger, self.publisher, self.registry, settings)

    # ---- what users call --------------------------------------------------------------------

    def submit(self, target: Runnable | str, input: Any, **options: Any) -> Run:
        """Start a run of an agent or flow, or of the one that workers know under a name."""
        return self.client.submit(target, input, **options)

    async def asubmit(self, target: Runnable | str, input: Any, **options: Any) -> Run:
        """`submit` for async code."""
        return await self.client.asubmit(target, input, **options)

    def run(self, run_id: str) -> Run:
        """The handle of a run that somebody submitted."""
        return self.client.run(run_id)

    def session(self, session_id: str, *, keep_last: int | None = None, compact: Compaction | None = None) -> Session:
        """The handle of a conversation over many runs. Options as for `Client.session`."""
        return self.client.session(session_id, keep_last=keep_last, compact=compact)

    def add(self, runnables: Sequence[Runnable], *, module: str = "") -> None:
        """Register agents and flows, and all that they can reach, as Celery tasks."""
        for added in self.registry.add(runnables):
            added._runtime = self
            self._register(added.task_name, f"{type(added).__name__} `{added.name}`.", module)
        for tool in self.registry.tools.values():
            self._register(f"tools.{tool.name}", f"Tool `{tool.name}`, called by agents.", module)

    def signature(self, target: Runnable, args: tuple[Any, ...], kwargs: dict[str, Any], *, immutable: bool) -> Any:
        """A signature of the task of an agent or flow, with its queue and priority."""
        options = {"queue": target.queue, "priority": target.priority}
        known = {name: value for name, value in options.items() if value is not None}
        written = write_arguments(target, kwargs)
        return self.app.signature(target.task_name, args=args, kwargs=written, immutable=immutable, options=known)

    def schedule(self, name: str, when: crontab, target: Runnable, input: Any, **arguments: Any) -> None:
        """Have Celery's beat start a run at each tick of a crontab: one, however many beats there are.

        The run's id is `<name>.<tick in UTC>`, as in `report.20261127T0300`. `arguments`: those of `target.s()`.
        Raises `UserError` for any other kind of schedule.
        """
        made = self.signature(target, (input,), arguments, immutable=True)
        self.app.add_periodic_task(when, made, name=name, **{TICK: describe_tick(name, when)})

    def canvas(self, flow: Flow) -> Any:
        """The flow as native canvas."""
        return CanvasMaker(self.app, flow, self.signature, self.registry.find).make()

    def apply_async(self, target: Runnable, args: Any, kwargs: Any, **options: Any) -> Any:
        """Send the task of an agent or flow as Celery does."""
        made = self.signature(target, tuple(args or ()), dict(kwargs or {}), immutable=False)
        return made.apply_async(**options)

    # ---- what tasks call --------------------------------------------------------------------

    @property
    def ledger(self) -> Ledger:
        """This process's ledger."""
        return self.engine.ledger

    @property
    def engine(self) -> Engine:
        """This process's engine; a forked child makes its own."""
        if self._engine is None or self._engine_pid != os.getpid():
            ledger = RedisLedger(
                self.ledger_url, namespace=self.settings.namespace, settings=ledger_settings(self.settings)
            )
            limiter = Limiter(self.limit_store(), self.settings.limits, ledger.hasten) if self.settings.limits else None
            self._engine = Engine(
                ledger,
                self.registry,
                self.settings,
                Renewer(ledger),
                run_hooks=self._hooks,
                tasks=CeleryTaskRunner(self.app),
                limiter=limiter,
                side_runs=LocalSideRuns(
                    lambda: self.engine, carry_out_here(lambda: self.engine, self.publisher.publish)
                ),
            )
            self._engine_pid = os.getpid()
        return self._engine

    @property
    def ledger_url(self) -> str:
        """The ledger's Redis: as set, else the app's result backend or broker if it is one, else `redis_url`."""
        candidates = (self.settings.ledger_url, self.app.conf.result_backend, self.app.conf.broker_url)
        usable = (
            url for url in candidates if isinstance(url, str) and url.startswith(("redis://", "rediss://", "unix://"))
        )
        return next(usable, self.settings.redis_url)

    def limit_store(self) -> LimitStore:
        """A store of limits beside the ledger."""
        return RedisLimitStore(self.ledger_url, namespace=self.settings.namespace)

    async def _let_go(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None and self._engine_pid == os.getpid():
            await engine.ledger.close_connections()
            if engine.limiter is not None:
                await engine.limiter.store.close_connections()

    def perform(self, task: InvocationTask, args: Sequence[Any], kwargs: dict[str, Any]) -> Performed:
        """One invocation: what a message asks for."""
        message = read_message(task.name, args, kwargs)
        message_id = message_id_of(task.request)
        worker = task.request.hostname or "unknown"
        if isinstance(message, StepMessage):
            work = perform(self.engine, message.id, message.step, message_id=message_id, worker=worker)
        else:
            new = self._first_word(task, message)
            work = perform(self.engine, new.run_id, 1, message_id=message_id, worker=worker, new=new)
        return wait_for(self._address(work))

    async def _address(self, work: Awaitable[Performed]) -> Performed:
        performed = await work
        return replace(performed, pointers=await self.client.address(performed.pointers))

    def close(self, claim: Claim) -> None:
        """The outcome is delivered."""
        wait_for(self.ledger.close(claim))

    def _first_word(self, task: InvocationTask, message: FirstMessage) -> NewRun:
        request = task.request
        kind, _, name = task.name.partition(".")
        return new_run(
            self.registry.flow(name) if kind == "flows" else self.registry.agent(name),
            message.prompted_input,
            run_id=request.id,
            settings=self.settings,
            context=message.context,
            options=message.options(),
            priority=(request.delivery_info or {}).get("priority"),
            continuation=read_continuation(request, self.app),
            place=message.place or "",
        )

    def _register(self, name: str, doc: str, module: str) -> None:
        if name in self.app.tasks:
            return
        attributes = {"name": name, "orchestrator": self, "__doc__": doc, "__module__": module or __name__}
        self.modules[name] = module
        self.app.register_task(type(name, (InvocationTask,), attributes)())


def ledger_settings(settings: Settings) -> LedgerSettings:
    """The part of the settings that a ledger needs."""
    return LedgerSettings(
        grace_seconds=settings.grace_seconds,
        lease_seconds=settings.lease_seconds,
        retention_seconds=settings.retention_seconds,
        session_retention_seconds=settings.session_retention_seconds,
        max_tries=settings.max_tries,
        queued_per_lane=settings.queued_per_tenant,
    )
