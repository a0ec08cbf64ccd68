"""The tracer thread: Celery's own tracer runs each invocation in a greenlet, and none blocks the others."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

from celery.exceptions import Ignore
from greenlet import getcurrent, greenlet

from orchestrator.loop import background

T = TypeVar("T")

logger = logging.getLogger(__name__)


def wait_for(work: Coroutine[Any, Any, T]) -> T:
    """The coroutine's result, from sync code. On this pool the thread is free meanwhile; elsewhere it blocks."""
    job = getcurrent()
    return job.wait_for(work) if isinstance(job, Job) else background.run(work)


class Job(greenlet):
    """One invocation under way."""

    def __init__(self, tracer: TracerThread, run: Callable[[], None], pid: int) -> None:
        super().__init__(run)
        self._tracer = tracer
        self.pid = pid
        self._waits_for: Future[Any] | None = None
        self._is_terminated = False

    def wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        """Let other jobs go on until the work is done."""
        future = self._waits_for = asyncio.run_coroutine_threadsafe(work, background.loop)
        future.add_done_callback(lambda _: self._tracer.resume(self))
        self._tracer.hub.switch()
        self._waits_for = None
        if self._is_terminated:
            raise Ignore("terminated")
        result: T = future.result()
        return result

    def terminate(self) -> None:
        """Cancel what the job waits for; the job then ends. Its run goes on when its lease lapses."""
        self._is_terminated = True
        if self._waits_for is not None:
            self._waits_for.cancel()


class TracerThread(threading.Thread):
    """Runs jobs, one at a time, each until it waits or ends."""

    def __init__(self) -> None:
        super().__init__(name="orchestrator-tracer", daemon=True)
        self.hub: greenlet = getcurrent()
        self._ready: SimpleQueue[Job | Callable[[], None] | None] = SimpleQueue()

    def begin(self, make_job: Callable[[], None]) -> None:
        """Call `make_job` in this thread: greenlets belong to the thread that made them."""
        self._ready.put(make_job)

    def resume(self, job: Job) -> None:
        """Go on with a job that has waited."""
        self._ready.put(job)

    def stop(self) -> None:
        """End when everything before is done."""
        self._ready.put(None)

    def run(self) -> None:
        self.hub = getcurrent()
        while (ready := self._ready.get()) is not None:
            try:
                ready.switch() if isinstance(ready, Job) else ready()
            except Exception:
                # The tracer reports a task's own errors; this one is Celery's or ours, and must not stop the others.
                logger.exception("An invocation ended in an unexpected way")
