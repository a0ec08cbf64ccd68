"""The explanation on real workers: a hard answer is stopped while it is written, and its watcher ends with it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrator import Delta, Orchestrator, Run, RunCancelled
from orchestrator.entries import Reply
from tests.acceptance.conftest import producing_by_name
from tests.support.stack import Stack, wait_until

pytestmark = pytest.mark.slow

SECONDS = 120
"""Less than the writer takes for the rest of its answer."""
INSTANT = {"ORCHESTRATOR_MODEL_API": "rehearsal", "ORCHESTRATOR_REHEARSAL_LATENCY_SECONDS": "0"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One worker, whose writer stops in the middle of its answer."""
    folder = tmp_path_factory.mktemp("stack")
    with Stack(folder, app="tests.acceptance.explanation_app", environment=INSTANT) as stack:
        stack.start_worker()
        yield stack


@pytest.fixture(scope="module")
def producer(stack: Stack) -> Iterator[Orchestrator]:
    """A producer that has none of the agents."""
    with producing_by_name(stack, "flows.explanation") as orchestrator:
        yield orchestrator


def member_of(run: Run) -> str:
    """The id of the run that writes, once it exists."""
    (found,) = wait_until(
        lambda: list(run.summary().waits.values()), "the writer's run begins", timeout_seconds=SECONDS
    )
    return found


def watcher_of(producer: Orchestrator, member: str) -> Run:
    return producer.run(f"{member.replace(':', '.')}.watcher")


def test_answer_that_is_too_hard_is_stopped_while_it_is_written(producer: Orchestrator) -> None:
    run = producer.submit("explanation", "What precisely is a black hole?")
    watcher = watcher_of(producer, member_of(run))

    with pytest.raises(RunCancelled, match=r"explanation\.reader, after 400 characters: A word has 7\.\d letters"):
        run.result(SECONDS)

    entries = [event.entry for event in run.events(deltas=True)]
    assert sum(len(entry.text) for entry in entries if isinstance(entry, Delta)) == 400
    assert not any(isinstance(entry, Reply) for entry in entries)
    assert [verdict["is_readable_by_ten_year_old"] for verdict in watcher.result(SECONDS)] == [False]
    assert len(checks_of(producer)) == 1


def test_watcher_ends_when_somebody_cancels_the_run(producer: Orchestrator) -> None:
    run = producer.submit("explanation", "What is a black hole?")
    watcher = watcher_of(producer, member_of(run))
    wait_until(lambda: True in checks_of(producer), "the beginning is checked", timeout_seconds=SECONDS)

    run.cancel("never mind")

    with pytest.raises(RunCancelled, match="never mind"):
        run.result(SECONDS)
    assert [verdict["is_readable_by_ten_year_old"] for verdict in watcher.result(SECONDS)] == [True]


def checks_of(producer: Orchestrator) -> list[bool | None]:
    """What the reader's runs have answered; None: nothing yet."""
    runs = [run for run in producer.client.recent(50) if run.agent == "explanation.reader"]
    return [run.outcome.output["is_readable_by_ten_year_old"] if run.outcome else None for run in runs]
