"""Names of runs, and of their steps' Celery tasks: all deterministic, so that copies are recognised."""

from __future__ import annotations

import hashlib

MAX_LENGTH = 128


def root_of(run_id: str) -> str:
    """The id of the run at the top of the tree: children are named `<root>:<digest>`."""
    return run_id.split(":", 1)[0]


def child_id(parent: str, call_id: str) -> str:
    """The deterministic id of the run that serves a parent's call."""
    digest = hashlib.sha256(f"{parent} {call_id}".encode()).hexdigest()[:12]
    return f"{root_of(parent)}:{digest}"


def side_run_id(waiting: str, asked: str) -> str:
    """The deterministic id of a run beside another's tree, which waits for it, by all that it is asked."""
    digest = hashlib.sha256(f"{waiting} {asked}".encode()).hexdigest()[:12]
    return f"{root_of(waiting)[: MAX_LENGTH - len(digest) - 1]}.{digest}"


def task_id(run_id: str, step: int) -> str:
    """The Celery task id of a run's step: the run's own id, then `<run id>.2`, `.3` …"""
    return run_id if step == 1 else f"{run_id}.{step}"
