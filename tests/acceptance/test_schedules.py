"""Real beats start agents and flows on a real worker: a tick of a crontab is one run, also with two beats."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from celery import Celery

from orchestrator import Settings, create_app
from orchestrator.ledger.base import RunSummary
from tests.support.stack import Stack, wait_until

A_MINUTE_AND_MORE = 90.0


def runs_of(app: Celery, kind: str) -> list[RunSummary]:
    return [run for run in app.orchestrator.client.recent(500) if run.task == kind]


@pytest.mark.slow
@pytest.mark.timeout(180)
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
            lambda: all("Sending due task minute" in beat.log for beat in beats),
            "both beats have sent the minute's message",
            timeout_seconds=A_MINUTE_AND_MORE,
        )
        wait_until(lambda: runs_of(app, "agents.clock"), "the minute's run is there")
        said = "\n".join(beat.log for beat in beats)
        sent_at = re.findall(r"^\[(\S+ \d\d:\d\d):.*Sending due task minute", said, re.M)

        minutes = [run for run in runs_of(app, "agents.clock") if run.parent is None]

        assert len(sent_at) > len(minutes) == len(set(sent_at))
        assert all(re.fullmatch(r"minute\.\d{8}T\d{4}", run.run_id) for run in minutes)
        assert app.orchestrator.run(minutes[0].run_id).result(30) == "it is a new minute"
        seconds = wait_until(lambda: runs_of(app, "flows.chime"), "flows are started, too")
        assert app.orchestrator.run(seconds[-1].run_id).result(30) == "it is another second"
        app.close()
