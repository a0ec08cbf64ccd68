"""The worker's pool: hundreds of invocations at once in one process, without a thread each.

Celery's own tracer runs every invocation in a greenlet. All greenlets live in one thread, the tracer
thread; when an invocation awaits a coroutine, the coroutine goes to the process's event loop and the thread
goes on with another greenlet. So what Celery does around a task, blocking calls to broker and result
backend included, never holds up the event loop, where leases are renewed and models answer.
Ordinary tasks, which know nothing of this, run in threads as on Celery's thread pool.

Chosen by `worker_pool = "orchestrator.celery.pool:TaskPool"`.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, TypeVar

from celery.concurrency.base import BasePool, apply_target
from celery.exceptions import Ignore
from greenlet import getcurrent, greenlet

from orchestrator.loop import background

T = TypeVar("T")

logger = logging.getLogger(__name__)


def wait_for(work: Coroutine[Any, Any, T]) -> T:
    """The coroutine's result, from sync code. On this pool the thread is free meanwhile; elsewhere it blocks."""
    job = getcurrent()
    return job.wait_for(work) if isinstance(job, Job) else background.run(work)


class Job(greenlet):  # type: ignore[misc]
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


class TaskPool(BasePool):  # type: ignore[misc]
    """Celery's pool interface over the tracer thread, and over threads for ordinary tasks."""

    signal_safe = False
    body_can_be_buffer = True
    task_join_will_block = True  # False would make the Redis backend subscribe to every task that we publish

    def on_start(self) -> None:
        self._jobs: dict[int, Job | Future[Any]] = {}
        self._all_done = threading.Condition()
        self._pids = itertools.count(os.getpid() << 20)
        self._threads = ThreadPoolExecutor(max_workers=self.limit, thread_name_prefix="celery-task")
        self._tracer = TracerThread()
        self._tracer.start()

    def on_apply(self, target: Any, args: Any = None, kwargs: Any = None, **callbacks: Any) -> None:
        pid = next(self._pids)
        work = self._tracked(pid, target, args, kwargs, callbacks)
        if _is_invocation(self.app, args):
            self._tracer.begin(lambda: self._start_job(pid, work))
        else:
            with self._all_done:
                self._jobs[pid] = self._threads.submit(work)

    def on_stop(self) -> None:
        """Wait for everything under way."""
        with self._all_done:
            self._all_done.wait_for(lambda: not self._jobs)
        self._tracer.stop()
        self._threads.shutdown(cancel_futures=True)

    def terminate_job(self, pid: int, signal: int | None = None) -> None:
        """Stop one invocation, and the HTTP call it is in. A thread cannot be stopped."""
        job = self._jobs.get(pid)
        if isinstance(job, Job):
            job.terminate()
        elif job is not None:
            job.cancel()

    def _start_job(self, pid: int, work: Callable[[], None]) -> None:
        job = Job(self._tracer, work, pid)
        self._jobs[pid] = job
        job.switch()

    def _tracked(self, pid: int, target: Any, args: Any, kwargs: Any, callbacks: Any) -> Callable[[], None]:
        def work() -> None:
            try:
                apply_target(target, args or (), kwargs or {}, pid=pid, **callbacks)
            finally:
                with self._all_done:
                    self._jobs.pop(pid, None)
                    self._all_done.notify_all()

        return work

    def _get_info(self) -> dict[str, Any]:
        return {**super()._get_info(), "max-concurrency": self.limit, "in-flight": len(self._jobs)}
