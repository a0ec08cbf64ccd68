"""One side of a comparison: its server, its workers and its driver, measured together."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from redis import Redis

from benchmarks.drivers.loop import Driven, Order
from benchmarks.lag import LAG_FILE
from benchmarks.model import Model
from benchmarks.usage import Meter, Usage
from tests.support.stack import REPOSITORY, Stack

SideName = Literal["ours", "agents_sdk", "plain_celery"]
TITLES: dict[SideName, str] = {
    "ours": "celery-orchestrator",
    "agents_sdk": "Agents SDK in process",
    "plain_celery": "plain Celery",
}


@dataclass(frozen=True)
class Round:
    """One order, carried out and measured."""

    runs: int
    driven: Driven
    usage: Usage

    @property
    def cpu_milliseconds(self) -> float:
        """CPU a run, of everything but the model's server."""
        return 1000 * self.cpu_seconds / self.runs

    @property
    def runs_per_second(self) -> float:
        return self.runs / self.driven.seconds

    @property
    def median_milliseconds(self) -> float:
        """Median time from submit to answer."""
        return 1000 * statistics.median(self.driven.latencies)

    @property
    def cpu_seconds(self) -> float:
        """CPU of everything but the model's server."""
        return self.usage.without("model")

    def cpu_by_role(self) -> dict[str, float]:
        """Milliseconds a run of each role, the model's server included."""
        return {role: 1000 * seconds / self.runs for role, seconds in self.usage.cpu_seconds.items()}


class Side:
    """A context manager: starts everything and ends it. `workers` processes, each with room for `concurrency` runs."""

    def __init__(self, name: SideName, folder: Path, model: Model, *, workers: int = 2, concurrency: int = 200) -> None:
        self.name = name
        self.model = model
        self._folder = folder / name
        self._workers = workers
        self._concurrency = concurrency
        self._submitted = 0
        self._open = ExitStack()
        self.stack: Stack | None = None

    def __enter__(self) -> Side:
        self._folder.mkdir(parents=True)
        with ExitStack() as opened:  # if one part does not start, those before it end
            self._driver = self._start(opened)
            self._open = opened.pop_all()
        return self

    def _start(self, opened: ExitStack) -> Driver:
        environment, watched = self.model.environment, {LAG_FILE: str(self.lag_file)}
        if self.name == "agents_sdk":
            environment = {**environment, **watched}
        else:
            app = f"benchmarks.apps.{self.name}"
            self.stack = opened.enter_context(Stack(self._folder, app=app, environment=environment))
            environment = self.stack.environment
            self.start_workers(watched)
        return opened.enter_context(Driver(self.name, environment, self._folder / "driver.log"))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None and self.stack is not None:
            print(self.stack.log_tails(), file=sys.stderr)
        if self.stack is not None:
            self.kill_workers()  # All is measured, and a proper end takes seconds.
        self._open.close()

    @property
    def lag_file(self) -> Path:
        """Where the event loops that call the model write down how late they are: workers', else the driver's."""
        return self._folder / "lag"

    def start_workers(self, environment: Mapping[str, str] | None = None) -> None:
        """Start the side's workers, and wait until they are ready."""
        assert self.stack is not None
        pool = "threads" if self.name == "plain_celery" else None
        started = [
            self.stack.start_worker(
                f"worker{number}", concurrency=self._concurrency, pool=pool, wait=False, environment=environment
            )
            for number in range(self._workers)
        ]
        for worker in started:
            worker.wait_for_log("ready.")

    def pids(self) -> dict[str, Sequence[int]]:
        """The side's processes by role."""
        pids: dict[str, Sequence[int]] = {"driver": [self._driver.pid], "model": [self.model.pid]}
        if self.stack is not None:
            pids["workers"] = [process.pid for process in self.stack.processes if process.is_running]
            pids["server"] = [pid] if (pid := self.stack.valkey.pid) else []
        return pids

    def kill_workers(self) -> None:
        """End all workers as a crash would."""
        assert self.stack is not None
        for process in self.stack.processes:
            process.kill()

    def server_info(self, section: str) -> dict[str, Any]:
        """What the side's Valkey says of itself."""
        assert self.stack is not None
        with Redis.from_url(self.stack.url, decode_responses=True) as client:
            info: dict[str, Any] = client.info(section)
        return info

    def measure(self, order: Order) -> Round:
        """Carry an order out, and measure what it took."""
        meter = Meter(self.pids())
        self.begin(order)
        driven = self.finish()
        return Round(order.runs, driven, meter.read())

    def begin(self, order: Order) -> None:
        """Give an order without waiting for it: `finish` does."""
        self._driver.send(replace(order, first=self._submitted))
        self._submitted += order.runs

    def finish(self) -> Driven:
        """Wait for what `begin` ordered."""
        return self._driver.receive()


class Driver:
    """The process that submits a side's runs. A context manager: ends it."""

    def __init__(self, side: SideName, environment: dict[str, str], log_file: Path) -> None:
        with log_file.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"benchmarks.drivers.{side}"],
                cwd=REPOSITORY,
                env={**os.environ, **environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._log_file = log_file
        self._read()

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, order: Order) -> None:
        """Give an order."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asdict(order)) + "\n")
        self._process.stdin.flush()

    def receive(self) -> Driven:
        """Wait until the last order is carried out."""
        return Driven(**json.loads(self._read()))

    def __enter__(self) -> Driver:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            raise RuntimeError(f"{self._log_file} ends with:\n{self._log_file.read_text(errors='replace')[-2000:]}")
        return line
