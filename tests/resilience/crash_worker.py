"""A worker process that is forked from a process with everything imported: it starts in a moment.

Each case has keys of its own in the server, so that many cases run side by side.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path

from celery import Celery

from orchestrator.settings import Settings
from tests.chaos.chaos_app import HEAVY, build_app
from tests.chaos.effects import EFFECTS_FILE
from tests.resilience.crash_points import Bomb, plant

CONCURRENCY = 8
CLAIM_SECONDS = 6
"""How long Celery holds its claim to dispatch a chord's body, with the settings below."""

_asking = threading.Lock()
"""Starting a process asks for the exit codes of all; of two threads that ask for one at once, the later gets a 255."""
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(
    # All that a worker would import on its way, the first model call included.
    [__name__, "openai", "aiohttp", "httpcore2", "celery.bin.worker", "celery.worker.worker"]
)


@dataclass(frozen=True)
class Place:
    """Where a case happens: its keys, its files, its model."""

    name: str
    redis_url: str
    folder: Path
    environment: Mapping[str, str]
    lease_seconds: float

    @property
    def effects_file(self) -> Path:
        return self.folder / f"{self.name}.effects"

    @property
    def bomb_file(self) -> Path:
        """Exists when the bomb has gone off."""
        return self.folder / f"{self.name}.bomb"

    @property
    def log_file(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def prefix(self) -> str:
        """Of all keys of this case that are Celery's."""
        return f"{self.name}."

    def build_app(self) -> Celery:
        """The app, for its workers and for its producer."""
        settings = Settings(
            redis_url=self.redis_url,
            namespace=self.name,
            lease_seconds=self.lease_seconds,
            grace_seconds=1.0,
            openai_base_url=self.environment["OPENAI_BASE_URL"],
            openai_api_key=self.environment["OPENAI_API_KEY"],
            model=self.environment["ORCHESTRATOR_MODEL"],
        )
        options = {"global_keyprefix": self.prefix}
        app = build_app(settings)
        app.conf.update(
            broker_transport_options=options,
            result_backend_transport_options=options,
            # Celery counts its claim from these; see CLAIM_SECONDS.
            broker_connection_timeout=1.0,
            task_publish_retry_policy={"max_retries": 0},
        )
        return app


class Worker:
    """A worker that has been started; with a point, one that dies there."""

    def __init__(self, place: Place, point: str | None) -> None:
        self._process = _processes.Process(target=_work, args=[place, point], daemon=True)
        with _asking:
            self._process.start()

    @property
    def exit_code(self) -> int | None:
        """`None` while it runs."""
        with _asking:
            return self._process.exitcode

    def wait(self, seconds: float | None = None) -> None:
        """Block until it has ended, or the time is over."""
        connection.wait([self._process.sentinel], seconds)

    def terminate(self) -> None:
        """Ask it to stop."""
        self._process.terminate()

    def kill(self) -> None:
        """Kill it, if it runs."""
        self._process.kill()


def _work(place: Place, point: str | None) -> None:
    log = os.open(place.log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ[EFFECTS_FILE] = str(place.effects_file)
    app = place.build_app()
    if point:
        plant(app, Bomb(point, place.bomb_file))
    name = f"{place.name}-{'first' if point else 'second'}@test"
    options = ["-P", "prefork", "-c", str(CONCURRENCY), "-Q", f"celery,{HEAVY}", "-n", name, "-l", "INFO"]
    app.worker_main(["worker", *options, "--without-gossip", "--without-mingle", "--without-heartbeat"])
