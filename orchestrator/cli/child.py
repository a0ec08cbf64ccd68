"""A child process: started with its log, watched, restarted with growing pauses, ended with all that it started."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from orchestrator.cli.plan import ProcessPlan

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
STABLE_SECONDS = 60.0
"""Who has lived this long starts again without a pause's growth."""

_IMPORTANT = re.compile(r": (?:ERROR|CRITICAL)/|^\[E ")
"""Celery's format, and Flower's."""


class ChildProcess:
    """One process of the stack."""

    def __init__(self, plan: ProcessPlan, logs: Path, environment: Mapping[str, str]) -> None:
        self.plan = plan
        self.log = logs / f"{plan.name}.log"
        self.restart_at: float | None = None
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._pause_seconds = FIRST_PAUSE_SECONDS
        self._read_to = self.log.stat().st_size if self.log.exists() else 0

    @property
    def pid(self) -> int | None:
        """Its process id, while it runs."""
        return self._process.pid if self._process else None

    @property
    def is_running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it in a session of its own: Ctrl-C in the terminal is for our process, which stops it in order."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.plan.arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(self._environment),
                start_new_session=True,
            )
        self._started_at, self.restart_at = time.monotonic(), None

    def reap(self) -> str | None:
        """How it ended, if it has ended since it was started. What it left behind is ended, too."""
        if self._process is None or (code := self._process.poll()) is None:
            return None
        self._kill_group()
        self._process = None
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def schedule_restart(self) -> float:
        """Restart after a pause, which grows while the process does not last. Returns the pause."""
        if time.monotonic() - self._started_at > STABLE_SECONDS:
            self._pause_seconds = FIRST_PAUSE_SECONDS
        pause = self._pause_seconds
        self.restart_at = time.monotonic() + pause
        self._pause_seconds = min(LONGEST_PAUSE_SECONDS, 2 * pause)
        return pause

    def terminate(self) -> None:
        """Ask it to finish what it is doing and end."""
        self.restart_at = None
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def kill(self) -> None:
        """End it, and all that it started, now."""
        if self._process is None:
            return
        self._kill_group()
        self._process.wait()
        self._process = None

    def read_important_lines(self) -> list[str]:
        """Errors in the log since the last look."""
        return [line for line in self._read_new() if _IMPORTANT.search(line)]

    def last_lines(self, count: int = 20) -> list[str]:
        """The end of the log."""
        return self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:] if self.log.exists() else []

    def _read_new(self) -> list[str]:
        try:
            with self.log.open("rb") as log:
                log.seek(self._read_to)
                found = log.read()
        except OSError:
            return []
        complete = found[: found.rfind(b"\n") + 1]
        self._read_to += len(complete)
        return complete.decode("utf-8", errors="replace").splitlines()

    def _kill_group(self) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
