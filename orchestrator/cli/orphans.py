"""What a stack left behind that was killed: found, named, and ended before a new one starts."""

from __future__ import annotations

import os
import signal
import time

from orchestrator.cli.stack import GRACE_SECONDS, POLL_SECONDS, Report
from orchestrator.cli.statefile import ProcessMark, StateFolder


def end_orphans(folder: StateFolder, report: Report) -> None:
    """End the processes of a stack whose keeper was killed, workers before the server. Nothing else is touched."""
    state = folder.read()
    orphans = state.orphans if state else {}
    if state and orphans:
        names = ", ".join(f"{name} (pid {mark.pid})" for name, mark in orphans.items())
        report("up", f"an earlier `up` (pid {state.keeper.pid}) was killed and left {names}: ending them", "yellow")
        server = orphans.pop("valkey", None)
        _end(list(orphans.values()))
        _end([server] if server else [])
    folder.clear()


def _end(marks: list[ProcessMark]) -> None:
    _send(marks, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < deadline and any(mark.is_alive for mark in marks):
        time.sleep(POLL_SECONDS)
    _send(marks, signal.SIGKILL)


def _send(marks: list[ProcessMark], number: signal.Signals) -> None:
    for mark in marks:
        if not mark.is_alive:
            continue
        try:
            if number is signal.SIGKILL:
                os.killpg(mark.pid, number)
            else:
                os.kill(mark.pid, number)
        except ProcessLookupError:
            continue
