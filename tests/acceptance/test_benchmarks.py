"""`make bench` and the profile, at sizes that show only that they work from end to end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import SCENARIOS
from benchmarks.results import OURS, Results
from tests.support.debian_parts import require_part
from tests.support.stack import REPOSITORY

SECONDS = 540
"""Most of it is the start of processes, which takes its time on a busy machine."""


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 10)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario_measures_us_beside_baselines(tmp_path: Path, scenario: str) -> None:
    page = tmp_path / "docs" / "report.md"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--only", scenario]

    done = subprocess.run(
        [*command, "--report", str(page), "--data", str(tmp_path / "data")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )

    assert done.returncode == 0, done.stderr
    (kept,) = (tmp_path / "data").iterdir()
    (section,) = Results.model_validate_json(kept.read_text(encoding="utf-8")).sections
    assert section.figures
    assert section.seconds > 0
    assert all(OURS in figure.rounds for figure in section.figures)
    assert section.title in page.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 10)
def test_profile_records_a_worker_and_a_producer(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.profile", "--seconds", "2", "--folder", str(tmp_path)]

    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=SECONDS)

    may_look = "permission" not in done.stderr.lower()
    require_part(may_look, "py-spy's permission to look into other processes", "root has it")
    assert done.returncode == 0, done.stderr
    profiles = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert "orchestrator/" in profiles["profile-worker.json"]
    assert "orchestrator/" in profiles["profile-producer.json"]
