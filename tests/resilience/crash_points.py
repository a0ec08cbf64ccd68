"""Kills a worker's process at a named point, once: put around its ledger, its tools and Celery's own steps."""

from __future__ import annotations

import dataclasses
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from celery import Celery, signals

from orchestrator.celery.runtime import Orchestrator, ledger_settings
from orchestrator.entries import EntryBase
from orchestrator.ledger.base import Claim, Pointer
from orchestrator.ledger.live import Notice
from orchestrator.ledger.redis import RedisLedger
from orchestrator.renewer import Renewer
from tests.chaos import chaos_app


class Bomb:
    """Goes off at one point. Its file says that it has."""

    def __init__(self, point: str, file: Path) -> None:
        self._point = point
        self._file = file

    def reach(self, point: str) -> None:
        """Die here if this is the point."""
        if point == self._point and not self._file.exists():
            self._file.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, point: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """The function with a point before and after it."""

        def surrounded(*args: Any, **kwargs: Any) -> Any:
            self.reach(f"before {point}")
            result = work(*args, **kwargs)
            self.reach(f"after {point}")
            return result

        return surrounded


class CrashingLedger(RedisLedger):
    """A ledger with a point before and after each script that moves a run."""

    def __init__(self, bomb: Bomb, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._bomb = bomb

    async def claim(self, run_id: str, step: int, **options: Any) -> Claim | None:
        self._bomb.reach(f"before claim of step {step}")
        claim = await super().claim(run_id, step, **options)
        self._bomb.reach(f"after claim of step {step}")
        if claim:
            self._bomb.reach(f"after claim of {claim.task}")
        return claim

    async def append(self, claim: Claim, at: int, entries: Sequence[EntryBase], **options: Any) -> Notice:
        kinds = "+".join(dict.fromkeys(getattr(entry, "type", "") for entry in entries))
        self._bomb.reach(f"before {kinds} of {claim.task}")
        answer = await super().append(claim, at, entries, **options)
        self._bomb.reach(f"after {kinds} of {claim.task}")
        return answer

    async def hand_over(self, claim: Claim, *args: Any, **options: Any) -> list[Pointer]:
        self._bomb.reach(f"before hand_over of {claim.task}")
        pointers = await super().hand_over(claim, *args, **options)
        self._bomb.reach(f"after hand_over of {claim.task}")
        return pointers

    async def park(self, claim: Claim, *args: Any, **options: Any) -> list[Pointer]:
        self._bomb.reach(f"before park of {claim.task}")
        self._bomb.reach(f"before park of {claim.task} step {claim.step}")
        pointers = await super().park(claim, *args, **options)
        self._bomb.reach(f"after park of {claim.task}")
        self._bomb.reach(f"after park of {claim.task} step {claim.step}")
        return pointers

    async def end(self, claim: Claim, *args: Any, **options: Any) -> Any:
        self._bomb.reach(f"before end of {claim.task}")
        ended = await super().end(claim, *args, **options)
        self._bomb.reach(f"after end of {claim.task}")
        return ended

    async def close(self, claim: Claim) -> None:
        self._bomb.reach(f"before close of {claim.task}")
        await super().close(claim)
        self._bomb.reach(f"after close of {claim.task}")


def plant(app: Celery, bomb: Bomb) -> None:
    """Put the points into this process."""
    orchestrator: Orchestrator = app.orchestrator  # type: ignore[attr-defined]
    settings = orchestrator.settings
    ledger = CrashingLedger(
        bomb, orchestrator.ledger_url, namespace=settings.namespace, settings=ledger_settings(settings)
    )
    orchestrator._engine = dataclasses.replace(orchestrator.engine, ledger=ledger, renewer=Renewer(ledger))
    chaos_app.record = _around_effects(bomb)
    app.backend.store_result = bomb.around("result", app.backend.store_result)
    app.backend.on_chord_part_return = bomb.around("chord part", app.backend.on_chord_part_return)
    _watch_publishing(bomb)


def _around_effects(bomb: Bomb) -> Callable[..., None]:
    inner = chaos_app.record

    def record(kind: str, name: str, *rest: str) -> None:
        bomb.around(f"effect of {name}", inner)(kind, name, *rest)

    return record


def _watch_publishing(bomb: Bomb) -> None:
    def watch(when: str) -> Callable[..., None]:
        def reach(sender: str, body: Any, **details: Any) -> None:
            bomb.reach(f"{when} publishing {sender}{_step_of(body)}")

        return reach

    signals.before_task_publish.connect(watch("before"), weak=False)
    signals.after_task_publish.connect(watch("after"), weak=False)


def _step_of(body: tuple[Sequence[Any], Mapping[str, Any], Any]) -> str:
    step = body[1].get("run", {}).get("step", 1)
    return f" step {step}" if step > 1 else ""
