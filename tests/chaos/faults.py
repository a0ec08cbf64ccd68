"""Breaks things on a schedule: kills and pauses workers, kills and restarts the server, and remembers when."""

from __future__ import annotations

import math
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tests.chaos.power_loss import PowerLoss
from tests.support.stack import Process, Stack, wait_until

FaultKind = Literal["kill", "pause", "restart", "server kill", "power loss"]
KILL_EVERY_SECONDS = (2.0, 3.0)
AWAY_SECONDS = 1.0
"""How long the server stays away."""
LOST_SECONDS = 2.0
"""What a power failure takes with it: `appendfsync everysec` promises no more."""


@dataclass(frozen=True)
class Fault:
    """Something that was broken."""

    kind: FaultKind
    target: str
    """A worker's name, or `server`."""
    at: float
    until: float
    """What had come from a worker before may be noticed after: a killed one is gone for good."""

    @property
    def loses_data(self) -> bool:
        """Whether what the server had acknowledged last may be gone."""
        return self.kind == "power loss"


@dataclass(frozen=True)
class Plan:
    """How much is broken. Numbers are of kills: the pause begins at one, the server goes at others."""

    kills: int
    pause_at: int | None
    pause_seconds: float
    restart_at: int | None
    """Gracefully: SHUTDOWN."""
    crash_at: Sequence[int] = ()
    """With kill -9, which loses nothing that was acknowledged: the system has it."""
    power_loss_at: Sequence[int] = ()
    """With kill -9, and the last second of the append-only file lost."""


class Chaos:
    """Keeps a number of workers alive, and kills them. `start_worker` starts one under a new name."""

    def __init__(
        self,
        stack: Stack,
        plan: Plan,
        seed: int,
        start_worker: Callable[[str], Process],
        last_promise_at: Callable[[], float],
    ) -> None:
        self.faults: list[Fault] = []
        self.workers: list[Process] = []
        self._stack = stack
        self._plan = plan
        self._random = random.Random(seed)
        self._start_worker = start_worker
        self._paused: list[Process] = []
        self._started = 0
        self._thread = threading.Thread(target=self._run, name="chaos", daemon=True)
        self._stop = threading.Event()
        self._power_loss = PowerLoss(stack.valkey, last_promise_at)
        self.error: BaseException | None = None

    def start_workers(self, count: int) -> None:
        """Start the workers and wait until they are ready."""
        for _ in range(count):
            self._add_worker()
        for worker in self.workers:
            worker.wait_for_log("ready.")

    def begin(self) -> None:
        """Break things from now on, in a thread."""
        self._thread.start()

    @property
    def is_over(self) -> bool:
        return not self._thread.is_alive()

    def end(self) -> None:
        """Break nothing more; whatever is paused or away comes back."""
        self._stop.set()
        self._thread.join()
        self._power_loss.stop()
        if self.error:
            raise self.error

    def _run(self) -> None:
        pause = None
        try:
            for number in range(1, self._plan.kills + 1):
                if self._stop.wait(self._random.uniform(*KILL_EVERY_SECONDS)):
                    break
                if number == self._plan.pause_at:
                    pause = threading.Thread(target=self._wake_later, args=[self._pause_one()], daemon=True)
                    pause.start()
                if number == self._plan.restart_at:
                    self._take_server_away("restart")
                if number in self._plan.crash_at:
                    self._take_server_away("server kill")
                if number in self._plan.power_loss_at:
                    self._take_server_away("power loss")
                self._kill_one()
        except BaseException as error:
            self.error = error
        finally:
            if pause:
                pause.join()

    def _kill_one(self) -> None:
        ready = [worker for worker in self.workers if worker not in self._paused and "ready." in worker.log]
        if not ready:
            return
        victim = self._random.choice(ready)
        at = time.time()
        victim.kill()
        self.faults.append(Fault("kill", victim.name, at, math.inf))
        self.workers.remove(victim)
        self._add_worker()

    def _add_worker(self) -> None:
        self._started += 1
        self.workers.append(self._start_worker(f"worker{self._started}"))

    def _pause_one(self) -> Fault:
        """Let a worker stand still, and start another in its place."""
        victim = self._random.choice([worker for worker in self.workers if "ready." in worker.log])
        self._paused.append(victim)
        at = time.time()
        os.killpg(victim.pid, signal.SIGSTOP)
        self._add_worker()
        return Fault("pause", victim.name, at, at + self._plan.pause_seconds)

    def _wake_later(self, pause: Fault) -> None:
        """Let the worker go on, after longer than any lease, as if nothing had been."""
        [victim] = self._paused
        self._stop.wait(self._plan.pause_seconds)
        self.faults.append(replace(pause, until=time.time()))
        os.killpg(victim.pid, signal.SIGCONT)
        self._paused.remove(victim)

    def _take_server_away(self, kind: FaultKind) -> None:
        at = time.time()
        valkey = self._stack.valkey
        {"restart": valkey.stop, "server kill": valkey.kill, "power loss": self._power_loss.strike}[kind]()
        time.sleep(AWAY_SECONDS)
        valkey.start()
        self.faults.append(Fault(kind, "server", at, time.time()))

    def wait_until_over(self, *, timeout_seconds: float) -> None:
        """Blocks until the plan is done."""
        wait_until(lambda: self.is_over, "the chaos is over", timeout_seconds=timeout_seconds)
