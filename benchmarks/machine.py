"""The machine that is measured on: what it is, which versions run on it, and how steady it is."""

from __future__ import annotations

import json
import platform
import subprocess
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

from benchmarks.results import Machine
from orchestrator.embedded import find_server

PACKAGES = (
    *("celery-orchestrator", "celery", "kombu", "redis", "hiredis"),
    *("openai", "openai-agents", "httpx2", "aiohttp"),
)
_WORK = json.dumps([{"role": "user", "content": "where is my order A1?", "number": number} for number in range(2000)])


def describe_machine() -> Machine:
    """Everything that is known before measuring."""
    return Machine(
        processor=_processor(),
        cores=psutil.cpu_count() or 0,
        memory_gigabytes=round(psutil.virtual_memory().total / 1e9, 1),
        system=f"{platform.system()} {platform.release()}",
        versions=_versions(),
        commit=_commit(),
        began_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def time_fixed_work() -> float:
    """Milliseconds that a fixed piece of work takes here and now: the best of five."""

    def once() -> float:
        began_at = time.perf_counter()
        for _ in range(5):
            json.dumps(json.loads(_WORK))
        return 1000 * (time.perf_counter() - began_at)

    return min(once() for _ in range(5))


def _versions() -> dict[str, str]:
    server = subprocess.run([find_server(), "--version"], capture_output=True, text=True, check=True).stdout
    words = dict(word.split("=", 1) for word in server.split() if "=" in word)
    versions = {"Python": platform.python_version(), "server": f"{server.split()[0]} {words.get('v', '?')}"}
    return versions | {package: version(package) for package in PACKAGES}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _commit() -> str:
    """The commit that is checked out, with a plus sign if files differ from it."""
    described = ["git", "describe", "--always", "--abbrev=9", "--exclude=*", "--dirty=+"]
    try:
        done = subprocess.run(described, capture_output=True, text=True, cwd=Path(__file__).parent)
    except OSError:  # No git here.
        return "unknown"
    return done.stdout.strip() or "unknown"
