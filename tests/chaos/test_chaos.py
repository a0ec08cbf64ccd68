"""Whatever is killed, every run ends once, rightly, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.chaos.audit import count_figures, find_problems
from tests.chaos.conftest import SHORT_ROUND_RUNS
from tests.chaos.faults import Plan
from tests.chaos.round import Round, Scale

RUNS_A_SECOND = 7.0
FULL_PLAN = Plan(kills=26, pause_at=4, pause_seconds=35.0, restart_at=9, crash_at=(18,))
SHORT_PLAN = Plan(kills=4, pause_at=None, pause_seconds=0.0, restart_at=None, crash_at=(3,))
FAST_RECOVERY = {"ORCHESTRATOR_LEASE_SECONDS": "8", "ORCHESTRATOR_GRACE_SECONDS": "2"}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_run_ends_once_while_workers_and_the_server_are_killed(
    tmp_path: Path, chaos_runs: int, print_figures: Any
) -> None:
    seen = Round(tmp_path, make_scale(chaos_runs)).run()

    problems = find_problems(seen)
    print_figures(f"chaos: {chaos_runs} runs", count_figures(seen))
    assert not problems, "\n".join([*problems, "", seen.worker_logs])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_run_ends_once_after_the_servers_last_second_is_lost(
    tmp_path: Path, chaos_runs: int, print_figures: Any
) -> None:
    if chaos_runs <= SHORT_ROUND_RUNS:
        pytest.skip("part of `make chaos`")
    plan = Plan(kills=3, pause_at=None, pause_seconds=0.0, restart_at=None, power_loss_at=(2,))
    scale = Scale(SHORT_ROUND_RUNS, submit_seconds=7.0, bound_seconds=60.0, plan=plan, environment=FAST_RECOVERY)
    seen = Round(tmp_path, scale).run()

    problems = find_problems(seen)
    print_figures("chaos: power loss", count_figures(seen))
    assert not problems, "\n".join([*problems, "", seen.worker_logs])


def make_scale(runs: int) -> Scale:
    """A round of a few seconds, or with the times of production."""
    if runs <= SHORT_ROUND_RUNS:
        return Scale(runs, submit_seconds=9.0, bound_seconds=240.0, plan=SHORT_PLAN, environment=FAST_RECOVERY)
    return Scale(runs, submit_seconds=runs / RUNS_A_SECOND, bound_seconds=240.0, plan=FULL_PLAN)
