"""Keeps the processes of a stack: started in order, watched, restarted, stopped in order, Valkey last."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from orchestrator.cli.child import ChildProcess
from orchestrator.cli.exits import StackError
from orchestrator.cli.plan import POOL_ENVIRONMENT, ProcessPlan
from orchestrator.cli.ports import answers_http
from orchestrator.cli.statefile import ProcessMark, StackState, StateFolder
from orchestrator.embedded import EmbeddedValkey
from orchestrator.errors import LedgerUnavailable

READY_SECONDS = 60.0
GRACE_SECONDS = 10.0
POLL_SECONDS = 0.1
PING_SECONDS = 0.5


class Report(Protocol):
    """Tells people what a stack does."""

    def __call__(self, name: str, text: str, style: str = "") -> None: ...


class Stack:
    """The processes that one `up` or `demo` keeps. Use as a context manager: leaving stops them all."""

    def __init__(
        self,
        folder: StateFolder,
        *,
        app: str,
        redis_url: str,
        server: EmbeddedValkey | None,
        report: Report,
        is_stopping: Callable[[], bool] = lambda: False,
        is_urgent: Callable[[], bool] = lambda: False,
    ) -> None:
        self.folder = folder
        self.app = app
        self.redis_url = redis_url
        self.flower_url: str | None = None
        self._server = server
        self._report = report
        self._is_stopping = is_stopping
        self._is_urgent = is_urgent
        self._children: list[ChildProcess] = []
        self._environment = {
            **os.environ,
            **POOL_ENVIRONMENT,
            "ORCHESTRATOR_REDIS_URL": redis_url,
            "ORCHESTRATOR_DATA_DIR": str(folder.path.absolute()),
            "PYTHONUNBUFFERED": "1",
            # Its address is this machine's loopback alone: no other machine can call it.
            "FLOWER_UNAUTHENTICATED_API": "true",
        }

    def __enter__(self) -> Stack:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def nodes(self) -> list[str]:
        """The workers' names on Celery."""
        return [child.plan.node for child in self._children if child.plan.node]

    def start_server(self) -> None:
        """Start Valkey, unless the server is somebody else's. Raises `LedgerUnavailable`."""
        if self._server is not None:
            self._server.start()
            self.save()

    def start(self, plans: Sequence[ProcessPlan], *, flower_url: str | None) -> None:
        """Start the processes. They are not ready yet: `wait_until_ready`."""
        self.flower_url = flower_url
        self._report("start", f"{', '.join(plan.name for plan in plans)} …", "dim")
        for plan in plans:
            child = ChildProcess(plan, self.folder.logs, self._environment)
            child.start()
            self._children.append(child)
            self.save()

    def wait_until_ready(self, ping: Callable[[list[str]], list[str]]) -> None:
        """Wait until every worker answers over the broker, and Flower over HTTP.

        `ping` takes workers' names and returns those that answered. Raises `StackError` with the end of
        the log of a process that ended or was too slow.
        """
        deadline = time.monotonic() + READY_SECONDS
        waiting = {child.plan.name: child for child in self._children}
        while waiting and not self._is_stopping():
            for name, child in list(waiting.items()):
                self._check_start(child, is_late=time.monotonic() > deadline)
                if not child.is_running or self._is_ready(child, ping):
                    del waiting[name]

    def poll(self) -> None:
        """Look after the processes once: report errors, restart what died."""
        if self._server is not None and not self._server.is_running:
            self._restart_server(self._server)
        for child in self._children:
            for line in child.read_important_lines()[:5]:
                self._report(child.plan.name, line, "red")
            self._look_after(child)

    def stop(self) -> None:
        """Stop everything: workers finish what they can within a grace, Valkey goes last."""
        if self._children:
            self._report("stop", f"workers finish what they are doing, up to {GRACE_SECONDS:g} s …", "dim")
        for child in self._children:
            child.terminate()
        deadline = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < deadline and any(child.is_running for child in self._children):
            if self._is_urgent():
                break
            time.sleep(POLL_SECONDS)
        for child in self._children:
            if child.is_running:
                self._report(
                    child.plan.name, "did not end in time: killed. Its runs go on with the next worker.", "yellow"
                )
            child.kill()
        self._children.clear()
        if self._server is not None:
            self._server.stop()
        self.folder.clear()

    def last_words(self) -> str:
        """The ends of all logs, for a report of what went wrong."""
        ends = [f"--- {child.log}\n" + "\n".join(child.last_lines()) for child in self._children]
        return "\n".join(ends)

    def save(self) -> None:
        """Write down what runs, for other commands and for the next `up`."""
        pids: dict[str, int | None] = {child.plan.name: child.pid for child in self._children}
        if self._server is not None:
            pids["valkey"] = self._server.pid
        marks = {name: ProcessMark.of(pid) for name, pid in pids.items() if pid is not None}
        keeper = ProcessMark.of(os.getpid())
        self.folder.write(StackState(keeper, self.app, self.redis_url, self.flower_url, marks))

    def _check_start(self, child: ChildProcess, *, is_late: bool) -> None:
        ending = child.reap()
        if ending is None and not is_late:
            return
        problem = f"{child.plan.name} {ending or f'was not ready within {READY_SECONDS:g} s'}"
        if child.plan.is_needed:
            end = "\n".join(child.last_lines())
            raise StackError(f"{problem}. The end of its log, {child.log}:\n{end}")
        self._report(child.plan.name, f"{problem}: going on without it. See {child.log}", "yellow")
        child.kill()
        self._children.remove(child)
        self.flower_url = None
        self.save()

    def _is_ready(self, child: ChildProcess, ping: Callable[[list[str]], list[str]]) -> bool:
        if child.plan.node:
            ready = bool(ping([child.plan.node]))
        else:
            ready = answers_http(f"{self.flower_url}/healthcheck")
            time.sleep(0 if ready else POLL_SECONDS)
        if ready:
            self._report(child.plan.name, child.plan.purpose or self.flower_url or "", "green")
        return ready

    def _look_after(self, child: ChildProcess) -> None:
        if ending := child.reap():
            pause = child.schedule_restart()
            self._report(child.plan.name, f"{ending}; starting it again in {pause:g} s. Log: {child.log}", "yellow")
        elif child.restart_at is not None and time.monotonic() >= child.restart_at:
            child.start()
            self._report(child.plan.name, f"started again (pid {child.pid})", "green")
            self.save()

    def _restart_server(self, server: EmbeddedValkey) -> None:
        self._report("valkey", "ended; starting it again with the data that it has written", "yellow")
        server.kill()
        try:
            server.start()
        except LedgerUnavailable as error:
            self._report("valkey", error.message, "red")
            time.sleep(1.0)
            return
        self._report("valkey", f"started again (pid {server.pid})", "green")
        self.save()


def ping_through(app: Any) -> Callable[[list[str]], list[str]]:
    """A `ping` for `Stack.wait_until_ready`, through a Celery app's broker."""

    def ping(nodes: list[str]) -> list[str]:
        answers = app.control.ping(destination=nodes, timeout=PING_SECONDS) or []
        return [node for answer in answers for node in answer]

    return ping
