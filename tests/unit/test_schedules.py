"""A tick of a schedule has one name, whichever beat sees it, and however late."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from celery.schedules import crontab, schedule

from orchestrator import Agent, InvalidInput, UserError, create_app
from orchestrator.celery.schedules import describe_tick, latest_tick, run_id_of_tick
from orchestrator.settings import Settings

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("cron", "now", "tick"),
    [
        ({}, "2026-11-27T03:00:59", "2026-11-27T03:00"),
        ({"hour": 3, "minute": 0}, "2026-11-27T03:00:00", "2026-11-27T03:00"),
        ({"hour": 3, "minute": 0}, "2026-11-27T03:07:12", "2026-11-27T03:00"),
        ({"hour": 3, "minute": 0}, "2026-11-27T02:59:59", "2026-11-26T03:00"),
        ({"minute": "*/15"}, "2026-11-27T03:44:00", "2026-11-27T03:30"),
        ({"hour": 8, "minute": 30, "day_of_week": "mon"}, "2026-11-27T03:00:00", "2026-11-23T08:30"),
        ({"hour": 0, "minute": 0, "day_of_month": 1}, "2026-11-27T03:00:00", "2026-11-01T00:00"),
        ({"hour": 0, "minute": 0, "day_of_month": 1, "month_of_year": 1}, "2026-11-27T03:00:00", "2026-01-01T00:00"),
    ],
)
def test_latest_tick_is_found(cron: dict[str, Any], now: str, tick: str) -> None:
    assert latest_tick(crontab(**cron), at(now)) == at(tick)


def test_tick_has_one_run_id_for_all_beats() -> None:
    tick = json.loads(json.dumps(describe_tick("report", crontab(hour=6, minute=0))))  # a scheduler may store it

    ids = {run_id_of_tick(tick, at(now)) for now in ("2026-11-27T06:00:00", "2026-11-27T06:00:41", "2026-11-27T07:30")}

    assert ids == {"report.20261127T0500"}


def test_schedule_is_given_to_beat_with_the_agents_queue() -> None:
    clerk = Agent("clerk", queue="desk")
    app = create_app("office", agents=[clerk], settings=Settings())

    app.orchestrator.schedule("report", crontab(hour=6), clerk, "What happened?", max_turns=3)

    entry = app.conf.beat_schedule["report"]
    assert (entry["task"], list(entry["args"]), entry["kwargs"]) == (
        "agents.clerk",
        ["What happened?"],
        {"max_turns": 3},
    )
    assert (entry["options"]["queue"], entry["options"]["tick"]["name"]) == ("desk", "report")


def test_schedule_without_common_ticks_is_refused() -> None:
    with pytest.raises(UserError, match=r"`report` is no crontab.*add_periodic_task"):
        describe_tick("report", schedule(30.0))  # type: ignore[arg-type]


def test_schedules_name_must_fit_into_a_run_id() -> None:
    with pytest.raises(InvalidInput, match="A run id is"):
        describe_tick("the report", crontab())
