"""One case: a run's journey through a worker that dies at a point, and on through a fresh one."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from celery import Celery, chain, chord, group

from orchestrator.loop import background
from tests.chaos.chaos_app import RELAY
from tests.chaos.effects import Effect, read_effects
from tests.chaos.observer import Observer, SeenRun
from tests.chaos.scripted_model import ScriptedModel
from tests.chaos.workload import ANSWERS
from tests.resilience.crash_worker import CLAIM_SECONDS, Place, Worker
from tests.support.stack import wait_until

DEATH_SECONDS = 120.0
"""For the worker to start and reach its point; seconds, unless the machine is busy."""
END_SECONDS = 180.0
"""For a fresh worker to start, the lease (5 or 8 s) to lapse and all to be delivered; seconds more, at most."""
STOP_SECONDS = 60.0
SIDE_BY_SIDE = 8
SUBJECT = "item-1"
BUDGET = {"tokens": 1_000_000, "turns": 1_000, "tool_calls": 1_000}
"""More than anything here spends: the ledger counts."""


@dataclass(frozen=True)
class Case:
    """A point to die at, on the way of one of the canvases below."""

    point: str
    canvas: str = "chain"
    lost_calls: int = 0
    """Model calls whose reply cannot have been recorded. A chord's other member may have lost one more."""

    def __str__(self) -> str:
        return f"{self.point.replace(' ', '-')}-in-{self.canvas}"


@dataclass(frozen=True)
class Journey:
    """What was seen of it, from outside."""

    case: Case
    has_died: bool
    exit_code: int | None
    results: dict[str, Any]
    expected: dict[str, str]
    runs: dict[str, SeenRun]
    effects: list[Effect]
    calls: int
    distinct_calls: int
    due: list[str]
    keys_left: list[str]
    seconds: float
    log: str

    def tool_calls(self) -> dict[tuple[str, str, str], list[str]]:
        """By kind, tool and subject: the idempotency keys with which a call was started."""
        calls: dict[tuple[str, str, str], list[str]] = {}
        for effect in self.effects:
            if effect.kind != "task":
                calls.setdefault((effect.kind, effect.name, effect.subject), []).append(effect.key)
        return calls

    @property
    def lost_calls(self) -> int:
        """Model calls that had to be made again."""
        return self.calls - self.distinct_calls

    def recorded_spending(self) -> dict[str, int]:
        """What the logs say that the whole tree has spent: replies, their tokens, calls that began, called agents."""
        entries = [entry for run in self.runs.values() for entry in run.entries]
        replies = [entry for entry in entries if entry["type"] == "reply"]
        called = {entry["call_id"] for entry in entries if entry["type"] == "started"}
        calls = [call for run in self.runs.values() if (call := run.entries[0].get("call"))]
        called |= {call["call_id"] for call in calls if call["agent"] != RELAY}  # a flow's members are no calls
        tokens = sum(reply["usage"].get("total_tokens", 0) for reply in replies)
        counted = {"turns": len(replies), "tokens": tokens, "tool_calls": len(called)}
        return {name: amount for name, amount in counted.items() if amount}

    def ordinary_tasks(self) -> Counter[str]:
        """How often each ordinary task ran, by id."""
        return Counter(effect.key for effect in self.effects if effect.kind == "task")


def travel_all(cases: list[Case], redis_url: str, folder: Path) -> dict[Case, Journey]:
    """All journeys, some side by side."""
    with ThreadPoolExecutor(SIDE_BY_SIDE) as threads:
        work = enumerate(cases)
        journeys = threads.map(lambda numbered: _travel(numbered[1], f"case{numbered[0]}", redis_url, folder), work)
        return {journey.case: journey for journey in journeys}


def _travel(case: Case, name: str, redis_url: str, folder: Path) -> Journey:
    model = ScriptedModel(seed=0, failure_rate=0.0, latency_seconds=(0.0, 0.01))
    with model.server:
        # A second delivery of an outcome has to come after Celery's claim to a chord's body.
        lease_seconds = CLAIM_SECONDS + 2.0 if case.canvas == "chord" else 5.0
        place = Place(name, redis_url, folder, model.environment(name), lease_seconds)
        with _observing(place) as observer, _producing(place) as app:
            return _go(case, place, app, observer, model)


def _go(case: Case, place: Place, app: Celery, observer: Observer, model: ScriptedModel) -> Journey:
    began = time.monotonic()
    first = Worker(place, case.point)
    expected = _CANVASES[case.canvas](app)
    first.wait(DEATH_SECONDS)
    exit_code = first.exit_code
    first.kill()
    second = Worker(place, None)
    try:
        _wait_for_end(observer, expected, second)
        seconds = time.monotonic() - began
    finally:
        second.terminate()
        second.wait(STOP_SECONDS)
        second.kill()
        second.wait()
    return Journey(
        case=case,
        has_died=place.bomb_file.exists(),
        exit_code=exit_code,
        results={task_id: observer.result(task_id) for task_id in expected},
        expected=expected,
        runs={run_id: observer.run(run_id) for run_id in observer.all_run_ids()},
        effects=list(read_effects(place.effects_file)),
        calls=len(model.calls),
        distinct_calls=len({call.identity for call in model.calls}),
        due=observer.due(),
        keys_left=observer.keys_for_ever(),
        seconds=seconds,
        log=place.log_file.read_text(encoding="utf-8", errors="replace"),
    )


def _wait_for_end(observer: Observer, expected: dict[str, str], worker: Worker) -> None:
    def has_ended() -> bool:
        return len(observer.states(list(expected))) == len(expected) and not observer.due() and observer.is_quiet()

    # What has not ended by then is for the test to say.
    with contextlib.suppress(AssertionError):
        wait_until(lambda: has_ended() or worker.exit_code is not None, "all has ended", timeout_seconds=END_SECONDS)


# ---- canvases -----------------------------------------------------------------------------------


def _submit_chain(app: Celery) -> dict[str, str]:
    """An agent that calls tools, asks another agent, hands over, and has ordinary tasks around it."""
    ids = [f"{SUBJECT}-prepare", SUBJECT, f"{SUBJECT}-keep"]
    chain(
        app.signature("chaos.prepare", (SUBJECT,), task_id=ids[0]),
        _agent(app, "everything", budget=BUDGET).set(task_id=ids[1]),
        app.signature("chaos.keep", (SUBJECT,), task_id=ids[2]),
    ).apply_async()
    answer = ANSWERS["everything"](f"prepared {SUBJECT}")
    return {ids[0]: f"prepared {SUBJECT}", ids[1]: answer, ids[2]: f"kept {answer}"}


def _submit_chord(app: Celery) -> dict[str, str]:
    """Two agents and what follows both."""
    ids = [f"{SUBJECT}-a", f"{SUBJECT}-b"]
    body = f"{SUBJECT}-gather"
    header = group(_agent(app, "expert", task_id).set(task_id=task_id) for task_id in ids)
    chord(header, app.signature("chaos.gather", kwargs={"subject": SUBJECT})).set(task_id=body).apply_async()
    answers = {task_id: f"expert({task_id})" for task_id in ids}
    return {**answers, body: "gathered " + " + ".join(answers.values())}


def _submit_packer(app: Celery) -> dict[str, str]:
    """An agent with tools on another queue."""
    app.orchestrator.submit("packer", SUBJECT, run_id=SUBJECT, budget=BUDGET)  # type: ignore[attr-defined]
    return {SUBJECT: ANSWERS["packer"](SUBJECT)}


def _submit_relay(app: Celery) -> dict[str, str]:
    """A flow of two agents, with an ordinary task after it: its second agent starts, and it ends, in passing."""
    keep = f"{SUBJECT}-keep"
    chain(
        _agent(app, RELAY, SUBJECT, budget=BUDGET).set(task_id=SUBJECT),
        app.signature("chaos.keep", (SUBJECT,), task_id=keep),
    ).apply_async()
    answer = ANSWERS[RELAY](SUBJECT)
    return {SUBJECT: answer, keep: f"kept {answer}"}


_CANVASES = {"chain": _submit_chain, "chord": _submit_chord, "packer": _submit_packer, "relay": _submit_relay}


def _agent(app: Celery, name: str, *args: str, **options: Any) -> Any:
    return app.orchestrator.registry.find(name).s(*args, **options)  # type: ignore[attr-defined]


@contextmanager
def _producing(place: Place) -> Iterator[Celery]:
    app = place.build_app()
    try:
        yield app
    finally:
        background.run(app.orchestrator.ledger.close_connections())  # type: ignore[attr-defined]
        app.backend.result_consumer.stop()
        app.backend.client.connection_pool.disconnect()
        app.close()


@contextmanager
def _observing(place: Place) -> Iterator[Observer]:
    observer = Observer(place.redis_url, namespace=place.name, prefix=place.prefix)
    try:
        yield observer
    finally:
        observer.close()
