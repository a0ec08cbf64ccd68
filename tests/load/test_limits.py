"""Limits and lanes on real workers: rates, shares, slots of killed workers, queues of tenants, priorities."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator import create_app
from orchestrator.settings import Settings
from tests.load.queued_tenants import wait_behind
from tests.load.shared_limit import APP, environment, measure, submit
from tests.support.model_server import ModelServer, Reply, message
from tests.support.stack import Stack, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_three_tenants_share_a_limit_that_is_never_exceeded(tmp_path: Path) -> None:
    measured = measure(tmp_path, per_minute=120, seconds=100)

    print(measured.report())
    assert measured.fullest() <= measured.most_a_minute
    assert measured.rate >= 0.9 * 120  # 98 % where nothing else runs: python -m tests.load.shared_limit
    assert min(measured.part_of_fair_share().values()) >= 0.9


def test_slots_of_a_killed_worker_are_free_again(tmp_path: Path) -> None:
    slow = [Reply(items=[message("late")], delay_seconds=60)] * 2
    with ModelServer(handler=lambda body, path: [message("yes")]) as server:
        server.add(*slow)
        limits = environment(server, {"concurrent": 2}, ORCHESTRATOR_LEASE_SECONDS="10")
        with Stack(tmp_path, app=APP, environment=limits) as stack:
            first = stack.start_worker("first")
            submit(stack, {"a": 6})
            server.wait_for_requests(2)

            first.kill()
            stack.start_worker("second")

            orchestrator = create_app("producer", settings=Settings(redis_url=stack.url)).orchestrator
            assert [orchestrator.run(f"a-{number}").result(timeout=120) for number in range(6)] == ["yes"] * 6
            assert server.most_in_flight <= 2


def test_runs_that_wait_hold_no_message_and_outlive_all_workers(tmp_path: Path) -> None:
    with ModelServer(handler=lambda body, path: [message("yes")]) as server:
        # One in ten seconds: three are parked for long enough to be seen on a busy machine.
        limits = environment(server, {"requests_per_minute": 6}, ORCHESTRATOR_LEASE_SECONDS="10")
        with Stack(tmp_path, app=APP, environment=limits) as stack:
            first = stack.start_worker("first")
            submit(stack, {"a": 5})
            orchestrator = create_app("producer", settings=Settings(redis_url=stack.url)).orchestrator
            runs = [orchestrator.run(f"a-{number}") for number in range(5)]
            wait_until(lambda: sum(run.status() == "parked" for run in runs) >= 3, "three runs wait parked")

            first.kill()
            stack.start_worker("second")

            assert [run.result(timeout=120) for run in runs] == ["yes"] * 5


def test_tenants_one_run_does_not_wait_for_anothers_hundreds(tmp_path: Path) -> None:
    waited = wait_behind(tmp_path, runs=400, queued_per_tenant=10, concurrency=4)

    print(waited.report())
    assert waited.ended_before <= 100


def test_run_of_a_higher_priority_overtakes(tmp_path: Path) -> None:
    with ModelServer(handler=lambda body, path: [message("yes")]) as server:
        with Stack(tmp_path, app=APP, environment=environment(server, {})) as stack:
            orchestrator = create_app("producer", settings=Settings(redis_url=stack.url)).orchestrator
            low = [orchestrator.submit("asker", f"low {n}", queue="celery", priority=9) for n in range(20)]
            high = orchestrator.submit("asker", "high 0", queue="celery", priority=0)

            stack.start_worker(concurrency=1)

            for run in [high, *low]:
                run.result(timeout=120)
        order = [str(body["input"][-1]["content"]).split()[0] for body in server.bodies]

    assert "high" in order[:2]
