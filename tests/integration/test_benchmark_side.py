"""A side: whose lag it has, and that it leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from benchmarks import side as side_module
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


@pytest.mark.slow
def test_side_that_cannot_start_leaves_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("no driver today")

    monkeypatch.setattr(side_module, "Driver", refuse)
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    with Model() as model:
        with pytest.raises(RuntimeError, match="no driver today"), Side("ours", tmp_path, model, workers=1):
            pass
        left = {child.pid for child in psutil.Process().children(recursive=True)} - before - {model.pid}

    assert left == set()
