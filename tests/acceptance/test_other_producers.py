"""A producer that has none of the agents, and whose app sends elsewhere by default, moves runs on at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from celery import Celery

from orchestrator import Run, RunCancelled, create_app
from orchestrator.celery.runtime import Orchestrator
from orchestrator.settings import Settings
from tests.acceptance.conftest import producing, start_worker
from tests.acceptance.office import build_office
from tests.acceptance.shop import Shop
from tests.support.model_scripts import ModelScripts
from tests.support.model_server import message, tool_call
from tests.support.stack import Stack, wait_until

SECONDS = 60
NEVER = 3600
"""A grace that no test outlasts: what goes on within it was sent to where it is read."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, scripts: ModelScripts) -> Iterator[Stack]:
    environment = {"ORCHESTRATOR_GRACE_SECONDS": str(NEVER), **scripts.environment}
    with Stack(tmp_path_factory.mktemp("stack"), app="tests.acceptance.office_app", environment=environment) as stack:
        start_worker(stack)
        yield stack


@pytest.fixture(scope="module")
def office(stack: Stack) -> Iterator[Shop]:
    """The producer that has the agents. It names no queue in what it submits."""
    with producing(stack, build_office) as office:
        yield office


@pytest.fixture(scope="module")
def desk(stack: Stack) -> Iterator[Orchestrator]:
    """The other one. Nobody reads its app's default queue."""
    app: Celery = create_app("desk", agents=[], settings=Settings(redis_url=stack.url, grace_seconds=NEVER))
    app.conf.task_default_queue = "desk"
    yield app.orchestrator
    Shop(app).close()


@pytest.fixture
def parked(office: Shop, scripts: ModelScripts, key: str) -> Run:
    """A run that waits for an approval."""
    scripts.add(key, [tool_call("refund", {"input": key}, call_id="c1")], [message("done")])
    run: Run = office.cashier.submit(key)
    wait_until(lambda: run.status() == "parked", "it asks", timeout_seconds=SECONDS)
    return run


def test_it_approves(desk: Orchestrator, parked: Run) -> None:
    desk.run(parked.id).approve("c1")

    assert parked.result(SECONDS) == "done"


def test_it_cancels_a_parked_run(desk: Orchestrator, parked: Run) -> None:
    desk.run(parked.id).cancel()

    with pytest.raises(RunCancelled):
        parked.result(SECONDS)


def test_it_resumes(desk: Orchestrator, parked: Run) -> None:
    parked.pause()
    parked.approve("c1")
    wait_until(lambda: parked.summary().pause and parked.status() == "parked", "it rests", timeout_seconds=SECONDS)

    desk.run(parked.id).resume()

    assert parked.result(SECONDS) == "done"


def test_it_goes_on_with_a_session(desk: Orchestrator, office: Shop, scripts: ModelScripts, key: str) -> None:
    scripts.add(key, [message("hello")], [message("hello again")])
    office.app.orchestrator.session(key).submit(office.cashier, key).result(SECONDS)

    run = desk.session(key).submit("clerk", "Still there?")

    assert run.result(SECONDS) == "hello again"
    assert run.summary().agent == "cashier"
