"""A real stack for tests: an embedded Valkey and real worker processes, to start, stop and kill."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar
from urllib.request import urlopen

import redis

from orchestrator.embedded import EmbeddedValkey

REPOSITORY = Path(__file__).parents[2]
START_SECONDS = 120.0
STOP_SECONDS = 60.0
PATIENCE_SECONDS = 60.0
"""For what takes a second or two, on a machine that may stand still for many."""
TAIL_LINES = 25

FAST = {"ORCHESTRATOR_REHEARSAL_LATENCY_SECONDS": "0.01", "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(REPOSITORY)}
"""Settings of every process of a stack."""

T = TypeVar("T")


def wait_until(condition: Callable[[], T], what: str, *, timeout_seconds: float = PATIENCE_SECONDS) -> T:
    """The first true value of `condition`. Fails, saying what was waited for."""
    deadline = time.monotonic() + timeout_seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_seconds:g} s in vain until {what}")
        time.sleep(0.02)
    return value


def wait_until_on_disk(url: str) -> None:
    """Blocks until all that the server has been told would outlast a kill of it."""
    with redis.Redis.from_url(url) as client:
        client.set("said-last", 1, ex=1)
        local, _ = client.waitaof(1, 0, round(PATIENCE_SECONDS * 1000))
    assert local == 1, "the server's append-only file is not written"


class Process:
    """A process with a log file, in a session of its own, so that a kill reaches its children, too."""

    def __init__(self, name: str, arguments: Sequence[str], environment: Mapping[str, str], log_file: Path) -> None:
        self.name = name
        self.log_file = log_file
        self._is_asked = False
        with log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "celery", *arguments],
                cwd=REPOSITORY,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How it ended; `None` while it runs."""
        return self._process.poll()

    @property
    def log(self) -> str:
        """All that the process has said."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def log_tail(self) -> str:
        """The last lines that the process has said."""
        return "\n".join(self.log.splitlines()[-TAIL_LINES:])

    def wait_for_log(self, text: str, *, timeout_seconds: float = START_SECONDS) -> None:
        """Blocks until the log holds `text`. Fails if the process ends before."""
        said = lambda: text in self.log or not self.is_running  # noqa: E731
        wait_until(said, f"{self.name} says {text!r}", timeout_seconds=timeout_seconds)
        assert text in self.log, f"{self.name} ended without {text!r}:\n{self.log_tail()}"

    def kill(self) -> None:
        """End it as a crash would."""
        if self.is_running:
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def ask_to_stop(self) -> None:
        """Tell it to end, once: a second signal would cut the shutdown short."""
        if self.is_running and not self._is_asked:
            self._is_asked = True
            self._process.terminate()

    def stop(self) -> None:
        """Ask it to end; insist after a while."""
        self.ask_to_stop()
        try:
            self._process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()


class Stack:
    """A server with data of its own, and the processes that work on it. A context manager: ends them all."""

    def __init__(self, folder: Path, *, app: str, environment: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        self._app = app
        self._environment = dict(environment or {})
        self.valkey = EmbeddedValkey(folder / "valkey")
        self.processes: list[Process] = []
        self.flower_url = ""

    @property
    def url(self) -> str:
        return self.valkey.url

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables of this stack's processes."""
        return {**FAST, "ORCHESTRATOR_REDIS_URL": self.url, **self._environment}

    def start_worker(
        self,
        name: str = "worker",
        *,
        queues: str = "celery",
        concurrency: int = 8,
        pool: str | None = None,
        events: bool = False,
        app: str | None = None,
        wait: bool = True,
        environment: Mapping[str, str] | None = None,
    ) -> Process:
        """Start a worker, on the app's own pool if none is named; by default, wait until it is ready.

        `events`: tell it to send events of its tasks, for apps that do not say so.
        """
        arguments = ["-A", app or self._app, "worker", "-c", str(concurrency), "-Q", queues]
        arguments += ["-P", pool] if pool else []
        arguments += ["-E"] if events else []
        # Without gossip and mingle, which cost seconds and are not ours.
        arguments += ["-n", f"{name}@test", "-l", "INFO", "--without-gossip", "--without-mingle"]
        process = self.start_process(name, arguments, environment)
        if wait:
            process.wait_for_log("ready.")
        return process

    def start_flower(self) -> None:
        """Start Flower and wait until it answers at `flower_url`."""
        port = _find_free_port()
        arguments = ["-A", self._app, "flower", f"--port={port}", "--address=127.0.0.1"]
        process = self.start_process("flower", arguments, {"FLOWER_UNAUTHENTICATED_API": "true"})
        self.flower_url = f"http://127.0.0.1:{port}"
        wait_until(
            lambda: _answers(self.flower_url) or not process.is_running, "Flower answers", timeout_seconds=START_SECONDS
        )
        assert process.is_running, f"Flower ended:\n{process.log_tail()}"

    def start_process(self, name: str, arguments: Sequence[str], environment: Mapping[str, str] | None) -> Process:
        """Start `celery` with these arguments."""
        log_file = self._folder / f"{name}-{len(self.processes)}.log"
        process = Process(name, arguments, {**self.environment, **(environment or {})}, log_file)
        self.processes.append(process)
        return process

    def log_tails(self) -> str:
        """What the processes said last, for a failed test's report."""
        return "\n\n".join(f"---- {process.log_file.name}\n{process.log_tail()}" for process in self.processes)

    def __enter__(self) -> Stack:
        self.valkey.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # All at once: each takes a second to end.
        for process in self.processes:
            process.ask_to_stop()
        for process in self.processes:
            process.stop()
        self.valkey.stop()


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(url: str) -> bool:
    try:
        with urlopen(f"{url}/healthcheck", timeout=10) as response:
            return bool(response.status == 200)
    except OSError:
        return False
