"""The one event loop of this process on which all our input and output happens.

Connections belong to the loop that opened them; one loop for the life of the process, in a thread of its
own, means that no connection ever meets a closed or a foreign loop, whatever the caller's own loops do.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from orchestrator.errors import UserError

T = TypeVar("T")

logger = logging.getLogger(__name__)

CLOSE_SECONDS = 5.0
MAX_THREADS = 64
"""Sync tools that run at once in one process; asyncio's own default is six on two cores."""


class BackgroundLoop:
    """An event loop in a daemon thread, started at first use, and anew in a forked child."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self.thread_id: int | None = None
        self._before_close: list[Callable[[], Coroutine[Any, Any, None]]] = []

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The running loop of this process."""
        with self._lock:
            if self._loop is None:
                self._start()
            assert self._loop is not None
            return self._loop

    def run(self, work: Coroutine[Any, Any, T], *, timeout: float | None = None) -> T:
        """Do the work on the loop and wait for it. Must not be called on the loop itself."""
        if self.is_current():
            work.close()
            raise UserError("This blocks the event loop that it waits for. In async code use the awaitable form.")
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            return future.result(timeout)
        except BaseException:
            future.cancel()
            raise

    async def arun(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work on the loop and await it from any other."""
        if self.is_current():
            return await work
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.loop))

    def is_current(self) -> bool:
        """Whether the caller runs on this loop."""
        try:
            return asyncio.get_running_loop() is self._loop
        except RuntimeError:
            return False

    def on_close(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do this on the loop before it ends: close connections, say."""
        self._before_close.append(work)

    def close(self) -> None:
        """End the loop, for good or until it is needed again. Does nothing if none runs."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is None:
            return
        asyncio.run_coroutine_threadsafe(self._close_all(), loop).result(CLOSE_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)

    async def _close_all(self) -> None:
        for work in self._before_close:
            try:
                await work()
            except Exception:
                logger.exception("Closing what the event loop held failed")
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def forget(self) -> None:
        """In a forked child: the parent's thread is not here, and its lock may be held for ever."""
        self._loop, self._lock = None, threading.Lock()

    def _start(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="orchestrator-tool"))
        thread = threading.Thread(target=_serve, args=[self._loop], name="orchestrator-loop", daemon=True)
        thread.start()
        self._thread, self.thread_id = thread, thread.ident


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.close()


background = BackgroundLoop()
os.register_at_fork(after_in_child=background.forget)
atexit.register(background.close)
