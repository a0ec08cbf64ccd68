"""One round: submits everything while things break, waits until all has ended, and hands over what was seen."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.loop import background
from orchestrator.settings import Settings
from tests.chaos.chaos_app import HEAVY, build_app
from tests.chaos.effects import EFFECTS_FILE, Effect, read_effects
from tests.chaos.faults import LOST_SECONDS, Chaos, Fault, Plan
from tests.chaos.observer import PAUSE_ERRORS, Observer, SeenRun
from tests.chaos.scripted_model import ModelCall, ScriptedModel
from tests.chaos.workload import Item, make_items
from tests.support.stack import Process, Stack

APP = "tests.chaos.chaos_app"
WORKERS = 3
POLL_SECONDS = 0.5
SETTLE_SECONDS = 90.0
"""Longer than a lease: what was delivered, but not closed, is closed by then."""


@dataclass(frozen=True)
class Scale:
    """How large a round is."""

    runs: int
    submit_seconds: float
    bound_seconds: float
    """From the first submit to the end of the last run, at most."""
    plan: Plan
    environment: dict[str, str] = field(default_factory=dict)
    seed: int = 1


@dataclass(frozen=True)
class Seen:
    """Everything that an audit needs, from outside."""

    items: list[Item]
    unfinished: list[Item]
    runs: dict[str, SeenRun]
    results: dict[str, Any]
    effects: list[Effect]
    calls: list[ModelCall]
    faults: list[Fault]
    due: list[str]
    keys_left: list[str]
    vanished: list[str]
    """Items that were submitted again, because a crash of the server had lost them, or may have."""
    makespan_seconds: float
    worker_logs: str


class Round:
    """Runs once."""

    def __init__(self, folder: Path, scale: Scale) -> None:
        self._scale = scale
        self._effects = folder / "effects.jsonl"
        self._model = ScriptedModel(scale.seed)
        environment = {EFFECTS_FILE: str(self._effects), **scale.environment}
        self._stack = Stack(folder, app=APP, environment=environment)
        self._chaos = Chaos(self._stack, scale.plan, scale.seed, self._start_worker, self._last_promise_at)
        self._items = make_items(scale.runs)
        self._submitted: dict[str, tuple[float, float]] = {}
        """Items, with the times at which their submit began and was acknowledged."""
        self._vanished: list[str] = []

    def run(self) -> Seen:
        """Blocks for the whole round."""
        with self._model.server, self._stack:
            self._app = build_app(Settings(redis_url=self._stack.url))
            self._observer = Observer(self._stack.url)
            try:
                return self._run()
            finally:
                self._close_producer()

    def _run(self) -> Seen:
        self._chaos.start_workers(WORKERS)
        began = time.monotonic()
        self._chaos.begin()
        try:
            unfinished = self._submit_and_wait(began)
            makespan = time.monotonic() - began
        finally:
            self._chaos.end()
        due = self._wait_until_settled()
        for worker in self._chaos.workers:
            worker.ask_to_stop()
        for worker in self._chaos.workers:
            worker.stop()
        return self._look(unfinished, due, makespan)

    def _start_worker(self, name: str) -> Process:
        environment = self._model.environment(name)
        # Celery's `prefork` stands for "as configured": the pool of our own.
        return self._stack.start_worker(
            name, queues=f"celery,{HEAVY}", concurrency=64, pool="prefork", wait=False, environment=environment
        )

    def _last_promise_at(self) -> float:
        """When a tool last began that waits for the server's disk."""
        return max((effect.at for effect in read_effects(self._effects) if effect.kind == "report"), default=0.0)

    # ---- the producer -----------------------------------------------------------------------

    def _submit_and_wait(self, began: float) -> list[Item]:
        open_items: dict[str, Item] = {}
        left = list(self._items)
        looked = 0.0
        while (left or open_items or not self._chaos.is_over) and time.monotonic() - began < self._scale.bound_seconds:
            now = time.monotonic()
            if left and now - began >= self._scale.submit_seconds * len(self._submitted) / len(self._items):
                item = left.pop(0)
                self._submit(item)
                open_items[item.subject] = item
            elif now - looked > POLL_SECONDS:
                self._drop_ended(open_items)
                looked = time.monotonic()
            else:
                time.sleep(0.01)
        return [*open_items.values(), *left]

    def _submit(self, item: Item) -> None:
        """As a producer does that must be sure: again, under the same ids, until it is acknowledged."""
        began_at = time.time()
        while True:
            try:
                item.submit(self._app)
            except Exception:
                time.sleep(0.2)
            else:
                self._submitted[item.subject] = began_at, time.time()
                return

    def _drop_ended(self, open_items: dict[str, Item]) -> None:
        with contextlib.suppress(*PAUSE_ERRORS):
            states = self._observer.states([item.last_id for item in open_items.values()])
            statuses = self._observer.statuses([run_id for item in open_items.values() for run_id in item.run_ids])
            for item in list(open_items.values()):
                if item.last_id in states and all(statuses[run_id] == "done" for run_id in item.run_ids):
                    del open_items[item.subject]
                elif self._is_in_doubt(item, statuses):
                    self._vanished.append(item.subject)
                    self._submit(item)

    def _is_in_doubt(self, item: Item, statuses: Mapping[str, str | None]) -> bool:
        """Whether a crash of the server may have lost the item. Of a run the ledger tells, of a canvas nobody does."""
        if item.run_ids == [item.subject]:
            return statuses[item.subject] is None
        began_at, ended_at = self._submitted[item.subject]
        losses = (fault for fault in self._chaos.faults if fault.loses_data)
        return any(loss.at - LOST_SECONDS <= ended_at and began_at <= loss.until for loss in losses)

    def _close_producer(self) -> None:
        background.run(self._app.orchestrator.ledger.close_connections())  # type: ignore[attr-defined]
        self._app.backend.result_consumer.stop()
        self._app.backend.client.connection_pool.disconnect()
        self._app.close()
        self._observer.close()

    # ---- afterwards -------------------------------------------------------------------------

    def _wait_until_settled(self) -> list[str]:
        deadline = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline:
            due = self._observer.due()
            if not due and self._observer.is_quiet(len(self._chaos.workers)):
                break
            time.sleep(0.2)
        return due

    def _look(self, unfinished: list[Item], due: list[str], makespan: float) -> Seen:
        task_ids = [task_id for item in self._items for task_id in item.answers]
        return Seen(
            items=self._items,
            unfinished=unfinished,
            runs={run_id: self._observer.run(run_id) for run_id in self._observer.all_run_ids()},
            results={task_id: self._observer.result(task_id) for task_id in task_ids},
            effects=list(read_effects(self._effects)),
            calls=self._model.calls,
            faults=self._chaos.faults,
            due=due,
            keys_left=self._observer.keys_for_ever(),
            vanished=self._vanished,
            makespan_seconds=makespan,
            worker_logs=self._stack.log_tails(),
        )
