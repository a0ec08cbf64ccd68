"""Names that nobody has, or that two have, are refused with what to do about it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from orchestrator import Agent, create_app, function_tool
from orchestrator.errors import AgentNotLoaded, DuplicateName, NotInstalled
from orchestrator.ledger.base import AgentRecord
from orchestrator.loop import background
from tests.acceptance.bad_input.conftest import SECONDS
from tests.acceptance.shop import Shop
from tests.support.stack import Process


def test_submit_to_a_name_that_no_worker_knows_suggests_the_right_one(shop: Shop) -> None:
    with pytest.raises(AgentNotLoaded, match=r"submitted to `triag`, which no worker has loaded.*mean `triage`\?"):
        shop.app.orchestrator.submit("triag", "hello")


def test_submit_to_a_new_name_is_queued_where_a_queue_is_given(shop: Shop, key: str) -> None:
    run = shop.app.orchestrator.submit("newcomer", "hello", queue=key)

    assert run.status() == "queued"


def test_handoff_to_a_name_that_nobody_has_says_what_to_do(shop: Shop) -> None:
    with pytest.raises(AgentNotLoaded) as caught:
        shop.lost.submit("hello").result(SECONDS)

    assert "Agent `lost` hands off to `packr`, which no worker has loaded" in caught.value.message
    assert (
        "Add the module that defines it to the modules of your app's install() or create_app()" in caught.value.message
    )
    assert "Did you mean `packer`?" in caught.value.message


def test_handoff_to_an_agent_whose_worker_is_gone_names_the_module_to_load(shop: Shop) -> None:
    gone = AgentRecord("agents.gone", "shop.attic", None, "attic@test", seen_at=time.time() - 60)
    background.run(shop.app.orchestrator.ledger.announce([gone], expire_seconds=30))

    with pytest.raises(
        AgentNotLoaded, match=r"hands off to `gone`.*attic@test, gone now.*`shop\.attic`: start a worker"
    ):
        shop.stranded.submit("hello").result(SECONDS)


def test_task_that_no_worker_has_leaves_the_worker_alive(shop: Shop, worker: Process) -> None:
    shop.app.send_task("agents.nobody", args=["hello"])

    worker.wait_for_log("Received unregistered task of type 'agents.nobody'")


def test_two_agents_with_one_name_are_refused_at_once() -> None:
    with pytest.raises(DuplicateName, match=r"Two different agents are called `twin`.*rename one, or pass the same"):
        create_app("twins", agents=[Agent("twin"), Agent("twin")])


def test_two_queued_tools_with_one_name_are_refused_at_once() -> None:
    def tool() -> Any:
        return function_tool(name_override="sort", queue="heavy")(lambda: "sorted")

    with pytest.raises(DuplicateName, match=r"tools with a queue are called `sort`, one of them at agent `second`"):
        create_app("twins", agents=[Agent("first", tools=[tool()]), Agent("second", tools=[tool()])])


def test_agent_without_an_app_says_how_to_get_one() -> None:
    with pytest.raises(NotInstalled, match=r"Agent `loner` belongs to no Celery app yet\. Call install\(app"):
        Agent("loner").submit("hello")
