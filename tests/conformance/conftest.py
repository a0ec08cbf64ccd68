"""Fixtures: a model server for each side, and one worker process that has all cases' agents."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from orchestrator import Settings
from orchestrator.embedded import EmbeddedValkey
from tests.conformance.case import load_cases
from tests.conformance.kit import TOOLS_QUEUE, Records
from tests.conformance.sides import ScriptPlayer, build_app
from tests.support.model_server import ModelServer

WORKER_START_SECONDS = 120.0
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Sides:
    """What the tests need of both sides."""

    sdk_server: ModelServer
    sdk_records: Records
    engine_server: ModelServer
    engine_records: Records
    settings: Settings
    agents: dict[str, Any]
    """Each case's starting agent on our side."""


@pytest.fixture(scope="session")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    """Both sides, ready. With a server of their own: the worker would take messages that are other tests'."""
    load_cases()
    folder = tmp_path_factory.mktemp("conformance")
    with (
        EmbeddedValkey(folder / "valkey") as valkey,
        ModelServer(handler=ScriptPlayer()) as sdk_server,
        ModelServer(handler=ScriptPlayer()) as engine_server,
    ):
        variables = {
            "ORCHESTRATOR_REDIS_URL": valkey.url,
            "ORCHESTRATOR_NAMESPACE": "conformance",
            "ORCHESTRATOR_MODEL_API": "responses",
            "ORCHESTRATOR_MODEL_MAX_RETRIES": "0",
            "OPENAI_API_KEY": "test",
            "OPENAI_BASE_URL": engine_server.url,
            "CONFORMANCE_RECORDS": str(folder),
        }
        with pytest.MonkeyPatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            settings = Settings()
        records = Records(folder, "engine")
        app, agents = build_app(settings, records)
        worker = _start_worker(variables, folder / "worker.log")
        try:
            _wait_for_worker(app, worker, folder / "worker.log")
            yield Sides(sdk_server, Records(folder, "sdk"), engine_server, records, settings, agents)
        finally:
            worker.terminate()
            worker.wait(timeout=60)
            app.close()


def _start_worker(variables: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    options = ["--concurrency=8", f"--queues=celery,{TOOLS_QUEUE}"]
    options += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    command = [sys.executable, "-m", "celery", "-A", "tests.conformance.worker", "worker", *options]
    with log.open("wb") as output:
        return subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **variables}, stdout=output, stderr=subprocess.STDOUT
        )


def _wait_for_worker(app: Celery, worker: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + WORKER_START_SECONDS
    while time.monotonic() < deadline and worker.poll() is None:
        if app.control.ping(timeout=1.0):
            return
    worker.terminate()
    raise RuntimeError(f"The worker did not start:\n{log.read_text()}")
