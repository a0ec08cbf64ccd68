"""The worker's pool: hundreds of invocations at once in one process, without a thread each.

Celery's own tracer runs every invocation in a greenlet. All greenlets live in one thread, the tracer
thread; when an invocation awaits a coroutine, the coroutine goes to the process's event loop and the thread
goes on with another greenlet. So what Celery does around a task, blocking calls to broker and result
backend included, never holds up the event loop, where leases are renewed and models answer.
Ordinary tasks, which know nothing of this, run in threads as on Celery's thread pool.

Chosen by `worker_pool = "orchestrator.celery.pool:TaskPool"`.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from celery.concurrency.base import BasePool, apply_target

from orchestrator.celery.task import InvocationTask
from orchestrator.celery.tracer import Job, TracerThread


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
        if self._is_invocation(args):
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

    def _is_invocation(self, args: Any) -> bool:
        return isinstance(self.app.tasks.get(args[0] if args else None), InvocationTask)

    def _get_info(self) -> dict[str, Any]:
        return {**super()._get_info(), "max-concurrency": self.limit, "in-flight": len(self._jobs)}
