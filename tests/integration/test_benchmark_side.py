"""A side's lag is that of the event loops that call the model, and of no idle one."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from benchmarks.lag import LAG_FILE
from benchmarks.model import Model
from benchmarks.side import Side, SideName


@pytest.mark.slow
@pytest.mark.parametrize(("name", "watched"), [("ours", "workers"), ("agents_sdk", "driver")])
def test_lag_is_written_by_those_who_call_the_model(tmp_path: Path, name: SideName, watched: str) -> None:
    with Model() as model, Side(name, tmp_path, model, workers=1, concurrency=4) as side:
        pids = {role: pids for role, pids in side.pids().items() if role in ("workers", "driver") and pids}
        writers = {role for role, (pid,) in pids.items() if LAG_FILE in psutil.Process(pid).environ()}

    assert writers == {watched}
