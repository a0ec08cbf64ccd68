"""Schedules: agents and flows that Celery's beat starts, each tick once, however many beats there are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from celery.schedules import crontab

from orchestrator.errors import UserError
from orchestrator.submission import check_run_id

TICK = "tick"
"""The option of a beat's entry that says which schedule it belongs to. JSON, for schedulers that store entries."""
_FIELDS = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
_LOOK_BACK = timedelta(days=366)


def describe_tick(name: str, schedule: crontab) -> dict[str, Any]:
    """What a beat needs to name the runs of a schedule."""
    check_run_id(name)
    if not isinstance(schedule, crontab):
        raise UserError(
            f"Schedule `{name}` is no crontab: other schedules have no ticks that all beats agree on. Give it to "
            "app.add_periodic_task(), and run one beat."
        )
    return {"name": name, "cron": {field: getattr(schedule, f"_orig_{field}") for field in _FIELDS}}


def run_id_of_tick(tick: Mapping[str, Any], now: datetime) -> str:
    """The id of the run for the latest tick, the same for a beat that is late: `<name>.<time in UTC>`."""
    at = latest_tick(crontab(**tick["cron"]), now)
    return f"{tick['name']}.{at.astimezone(UTC):%Y%m%dT%H%M}"


def latest_tick(schedule: crontab, now: datetime) -> datetime:
    """The latest minute, up to now, that the schedule names."""
    minute = now.replace(second=0, microsecond=0)
    at = minute
    while at > minute - _LOOK_BACK:
        if not _has_day(schedule, at):
            at = at.replace(hour=0, minute=0) - timedelta(minutes=1)
        elif at.hour in schedule.hour and at.minute in schedule.minute:
            return at
        else:
            at -= timedelta(minutes=1)
    return minute


def _has_day(schedule: crontab, at: datetime) -> bool:
    return (
        at.month in schedule.month_of_year
        and at.day in schedule.day_of_month
        and at.isoweekday() % 7 in schedule.day_of_week
    )
