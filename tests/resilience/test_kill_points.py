"""A worker that is killed at any point of a run's way: a fresh one takes the run to its one right end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrator.embedded import EmbeddedValkey
from tests.resilience.journey import SUBJECT, Case, Journey, travel_all

# The first test waits for the journeys of all, eight at a time.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

CASES = [
    # Taking a step.
    Case("before claim of step 1"),
    Case("after claim of agents.everything"),
    Case("before claim of step 2"),
    Case("after claim of tools.weigh"),
    # A reply, and a tool in the agent's own task: report.
    Case("before reply+started of agents.everything", lost_calls=1),
    Case("after reply+started of agents.everything"),
    Case("before effect of ship"),
    Case("after effect of ship"),
    Case("before output of agents.everything"),
    Case("after output of agents.everything"),
    # The same: rerun.
    Case("before effect of charge"),
    Case("after effect of charge"),
    # Parking for a called agent.
    Case("before park of agents.everything"),
    Case("after park of agents.everything"),
    Case("before publishing agents.expert"),
    Case("after publishing agents.expert"),
    # The called agent's end, which wakes its caller.
    Case("before end of agents.expert", lost_calls=1),
    Case("after end of agents.expert"),
    Case("before publishing agents.everything step 2"),
    Case("after publishing agents.everything step 2"),
    # Handing over.
    Case("before hand_over of agents.everything", lost_calls=1),
    Case("after hand_over of agents.everything"),
    Case("before publishing agents.finisher step 3"),
    Case("after publishing agents.finisher step 3"),
    # A tool on another queue.
    Case("before effect of weigh"),
    Case("after effect of weigh"),
    Case("after end of tools.weigh"),
    Case("before effect of seal", canvas="packer"),
    Case("after effect of seal", canvas="packer"),
    Case("before end of tools.seal", canvas="packer"),
    # A flow's second member, started in passing at the end of the first.
    Case("after end of agents.clerk", canvas="relay"),
    Case("before park of flows.relay step 2", canvas="relay"),
    Case("after park of flows.relay step 2", canvas="relay"),
    Case("before publishing agents.packer", canvas="relay"),
    Case("after end of agents.packer", canvas="relay"),
    # Its end with its last member, and its delivery there.
    Case("before end of flows.relay", canvas="relay"),
    Case("after end of flows.relay", canvas="relay"),
    Case("before publishing chaos.keep", canvas="relay"),
    Case("after publishing chaos.keep", canvas="relay"),
    Case("before close of flows.relay", canvas="relay"),
    Case("after close of flows.relay", canvas="relay"),
    # The end, and its delivery by Celery.
    Case("before end of agents.finisher", lost_calls=1),
    Case("after end of agents.finisher"),
    Case("before publishing chaos.keep"),
    Case("after publishing chaos.keep"),
    Case("before close of agents.finisher"),
    Case("after close of agents.finisher"),
    # A chord's three windows: the result stored and not counted, the body claimed and not sent, sent and not noted.
    Case("before chord part", canvas="chord"),
    Case("after chord part", canvas="chord"),
    Case("before publishing chaos.gather", canvas="chord"),
    Case("after publishing chaos.gather", canvas="chord"),
]


@pytest.fixture(scope="module")
def journeys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Case, Journey]]:
    folder = tmp_path_factory.mktemp("journeys")
    with EmbeddedValkey(folder / "valkey") as valkey:
        yield travel_all(CASES, valkey.url, folder)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_run_goes_on_from_a_killed_worker(journeys: dict[Case, Journey], case: Case) -> None:
    journey = journeys[case]
    log = f"after {journey.seconds:.1f} s\n{journey.log}"

    assert journey.has_died, f"the point was not reached\n{log}"
    assert journey.exit_code == -9
    assert journey.results == journey.expected, log
    assert {run_id: run.status for run_id, run in journey.runs.items() if run.status != "done"} == {}
    assert [run.count("outcome") for run in journey.runs.values()] == [1] * len(journey.runs)
    assert 0 <= journey.lost_calls - case.lost_calls <= (case.canvas == "chord"), log
    for (kind, tool, _), keys in journey.tool_calls().items():
        assert len(keys) == 1 or kind == "rerun", f"report tool `{tool}` started {len(keys)} times"
        assert len(set(keys)) == 1, f"tool `{tool}` saw several keys: {keys}"
    assert journey.ordinary_tasks().keys() == {task_id for task_id in journey.expected if is_ordinary(task_id)}
    if case.canvas != "chord":
        assert journey.runs[SUBJECT].spent == journey.recorded_spending()
    assert journey.due == []
    assert journey.keys_left == []


def is_ordinary(task_id: str) -> bool:
    return task_id.endswith(("prepare", "keep", "gather"))
