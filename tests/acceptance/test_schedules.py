"""Real beats start agents and flows on a real worker: a tick of a crontab is one run, also with two beats."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from celery import Celery

from orchestrator import Settings, create_app
from orchestrator.ledger.base import RunSummary
from tests.acceptance.conftest import messages
from tests.support.stack import Process, Stack, wait_until

TWO_MINUTES_AND_MORE = 180.0
"""One beat may start before a minute begins, the other after."""


def runs_of(app: Celery, kind: str) -> list[RunSummary]:
    return [run for run in app.orchestrator.client.recent(5000) if run.task == kind and run.parent is None]


def minutes_sent(beats: list[Process]) -> list[str]:
    """The minutes in which a beat has sent its message, one for each."""
    said = "\n".join(beat.log for beat in beats)
    sent: list[str] = re.findall(r"^\[(\S+ \d\d:\d\d):.*Sending due task minute", said, re.M)
    return sent


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_beats_start_one_run_a_minute_and_each_their_own_every_second(tmp_path: Path) -> None:
    with Stack(tmp_path, app="tests.acceptance.schedule_app") as stack:
        stack.start_worker()
        for number in (1, 2):
            name = f"beat{number}"
            arguments = ["-A", "tests.acceptance.schedule_app", "beat", "-l", "INFO"]
            arguments += ["-s", str(tmp_path / name), f"--pidfile={tmp_path / name}.pid"]
            stack.start_process(name, arguments, None)
        app = create_app("reader", settings=Settings(redis_url=stack.url))
        beats = stack.processes[1:]
        wait_until(
            lambda: len(sent := minutes_sent(beats)) > len(set(sent)),
            "both beats have sent a minute's message",
            timeout_seconds=TWO_MINUTES_AND_MORE,
        )
        for beat in beats:
            beat.stop()
        sent_at = set(minutes_sent(beats))
        wait_until(lambda: len(runs_of(app, "agents.clock")) >= len(sent_at), "each minute's run is there")
        wait_until(lambda: messages(app) == 0, "all messages have been taken")

        minutes = runs_of(app, "agents.clock")

        assert len(minutes) == len(sent_at)
        assert all(re.fullmatch(r"minute\.\d{8}T\d{4}", run.run_id) for run in minutes)
        assert app.orchestrator.run(minutes[0].run_id).result(60) == "it is a new minute"
        seconds = wait_until(lambda: runs_of(app, "flows.chime"), "flows are started, too")
        assert app.orchestrator.run(seconds[-1].run_id).result(60) == "it is another second"
        app.close()
