"""What Flower's API shows: one row an invocation, by the agent's name, with its own end."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from celery import chain, chord

from orchestrator.errors import UserError
from tests.acceptance.conftest import APP, producing, start_two_workers
from tests.acceptance.shop import Shop
from tests.support.stack import Stack, wait_until

SECONDS = 60
Row = dict[str, Any]

if importlib.util.find_spec("flower") is None and not os.environ.get("CI"):
    pytest.skip("Flower is not installed: pip install celery-orchestrator[flower]", allow_module_level=True)


class Flower:
    """Flower's API."""

    def __init__(self, url: str) -> None:
        self._url = url

    def rows(self, root_id: str, count: int = 1) -> list[Row]:
        """The rows of all tasks below a root, in the order in which they were received, once so many have ended."""
        return wait_until(lambda: self._ended_rows(root_id, count), f"{count} tasks of {root_id} have ended in Flower")

    def _ended_rows(self, root_id: str, count: int) -> list[Row]:
        with urlopen(f"{self._url}/api/tasks?limit=1000", timeout=60) as response:
            rows = [row for row in json.load(response).values() if row["root_id"] == root_id]
        is_complete = len(rows) >= count and all(row["state"] in ("SUCCESS", "FAILURE") for row in rows)
        return sorted(rows, key=lambda row: row["received"]) if is_complete else []


@pytest.fixture(scope="module")
def flower(stack: Stack) -> Flower:
    return Flower(stack.flower_url)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Flower sees only what happens after its start."""
    with Stack(tmp_path_factory.mktemp("stack"), app=APP) as stack:
        stack.start_flower()
        start_two_workers(stack)
        yield stack


def shown(rows: list[Row], *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row[column] for column in columns) for row in rows]


def test_each_agent_of_a_run_has_a_row_of_its_own(shop: Shop, flower: Flower) -> None:
    run = shop.triage.submit("Where is my parcel?")
    run.result(SECONDS)

    rows = flower.rows(run.id, 3)

    assert shown(rows, "name", "state", "uuid", "parent_id") == [
        ("agents.triage", "SUCCESS", run.id, None),
        ("agents.specialist", "SUCCESS", f"{run.id}.2", run.id),
        ("agents.closer", "SUCCESS", f"{run.id}.3", f"{run.id}.2"),
    ]


def test_arguments_and_results_are_short_words_for_people(shop: Shop, flower: Flower) -> None:
    run = shop.triage.submit("Where is my parcel?")
    run.result(SECONDS)

    assert shown(flower.rows(run.id, 3), "args", "result") == [
        ("('Where is my parcel?',)", "'handed off to specialist'"),
        ("('handed over by triage',)", "'handed off to closer'"),
        ("('handed over by specialist',)", "'closed(Where is my parcel?)'"),
    ]


def test_long_input_is_cut(shop: Shop, flower: Flower) -> None:
    submitted, sent = shop.echo.submit("word " * 5_000), shop.echo.delay("word " * 5_000)
    submitted.result(SECONDS)

    for run_id in (submitted.id, sent.id):
        [row] = flower.rows(run_id)
        assert len(row["args"]) < 2_000
        assert len(row["result"]) < 2_000


def test_called_agents_are_children_of_the_callers_row(shop: Shop, flower: Flower) -> None:
    run = shop.manager.submit("a")
    run.result(SECONDS)

    first, child, last = flower.rows(run.id, 3)

    assert shown([first, child, last], "name", "args", "result", "parent_id", "state") == [
        ("agents.manager", "('a',)", "'waits for ask_expert'", None, "SUCCESS"),
        ("agents.expert", "('a',)", "'expert(a)'", run.id, "SUCCESS"),
        ("agents.manager", "('answers of ask_expert',)", "'manager(expert(a))'", run.id, "SUCCESS"),
    ]


def test_tool_on_another_queue_has_a_row(shop: Shop, flower: Flower) -> None:
    run = shop.packer.submit("a")
    run.result(SECONDS)

    rows = flower.rows(run.id, 3)

    assert shown(rows, "name", "worker") == [
        ("agents.packer", "main@test"),
        ("tools.weigh", "heavy@test"),
        ("agents.packer", "main@test"),
    ]
    assert rows[1]["args"] == """('{"input": "a"}',)"""
    assert "weighed(a)" in rows[1]["result"]


def test_failed_run_fails_in_the_row_of_the_agent_that_failed(shop: Shop, flower: Flower) -> None:
    run = shop.late_breaker.submit("a")
    with pytest.raises(UserError):
        run.result(SECONDS)

    rows = flower.rows(run.id, 2)

    assert shown(rows, "name", "state") == [("agents.late_breaker", "SUCCESS"), ("agents.breaker", "FAILURE")]
    assert "no stock" in rows[1]["exception"]


def test_a_flow_has_a_row_for_its_end_where_its_last_member_ended(shop: Shop, flower: Flower) -> None:
    run = shop.relay.submit("a")
    run.result(SECONDS)

    check_relay(flower, run.id)


def check_relay(flower: Flower, run_id: str) -> None:
    rows = flower.rows(run_id, 6)

    assert shown(rows, "name", "state", "args", "result") == [
        ("flows.relay", "SUCCESS", "('a',)", "'waits for expert'"),
        ("agents.expert", "SUCCESS", "('a',)", "'expert(a)'"),
        ("agents.triage", "SUCCESS", "('expert(a)',)", "'handed off to specialist'"),
        ("agents.specialist", "SUCCESS", "('handed over by triage',)", "'handed off to closer'"),
        ("agents.closer", "SUCCESS", "('handed over by specialist',)", "'closed(expert(a))'"),
        ("flows.relay", "SUCCESS", "('ended with agents.closer',)", "'closed(expert(a))'"),
    ]
    assert rows[-1]["uuid"] == f"{run_id}.3"
    assert rows[-1]["worker"] == rows[-2]["worker"]
    assert rows[-1]["runtime"] is not None


@pytest.mark.parametrize("app", [APP, "tests.acceptance.silent_shop_app"])
def test_a_flow_in_a_pool_of_processes_has_the_same_rows(tmp_path: Path, app: str) -> None:
    with Stack(tmp_path, app=app) as stack:
        stack.start_flower()
        stack.start_worker(pool="processes", concurrency=2, events=app != APP)
        with producing(stack) as shop:
            run = shop.relay.submit("a")
            run.result(SECONDS)

            check_relay(Flower(stack.flower_url), run.id)


def test_a_flow_that_fails_with_a_member_has_a_row_with_its_own_error(shop: Shop, flower: Flower) -> None:
    run = shop.broken.submit("a")
    with pytest.raises(UserError):
        run.result(SECONDS)

    rows = flower.rows(run.id, 4)

    assert shown(rows, "name", "state") == [
        ("flows.broken", "SUCCESS"),
        ("agents.echo", "SUCCESS"),
        ("agents.breaker", "FAILURE"),
        ("flows.broken", "FAILURE"),
    ]
    assert "Step `2.breaker`: " in rows[-1]["exception"]
    assert rows[-1]["traceback"].count("Traceback") == 1


def test_members_of_a_chain_follow_each_other_under_one_root(shop: Shop, flower: Flower) -> None:
    result = chain(shop.mark.s("a"), shop.triage.s(), shop.mark.s()).apply_async()
    result.get(timeout=SECONDS)
    first, run_id = result.parent.parent.id, result.parent.id

    rows = flower.rows(first, 5)

    assert shown(rows, "name", "uuid", "parent_id") == [
        ("shop.mark", first, None),
        ("agents.triage", run_id, first),
        ("agents.specialist", f"{run_id}.2", run_id),
        ("agents.closer", f"{run_id}.3", f"{run_id}.2"),
        ("shop.mark", result.id, f"{run_id}.3"),
    ]


def test_no_row_of_a_chord_stays_open(shop: Shop, flower: Flower) -> None:
    result = chord([shop.triage.s("a"), shop.manager.s("b")], shop.packer.s()).apply_async()
    result.get(timeout=SECONDS)

    # Celery gives the members of a header roots of their own, and the body the one that it was called from.
    roots = [member.id for member in result.parent.results]
    names = [row["name"] for root in roots for row in flower.rows(root, 3)]
    assert {"agents.triage", "agents.closer", "agents.manager", "agents.expert"} <= set(names)


def test_second_copy_of_a_message_leaves_the_row_as_it_is(shop: Shop, flower: Flower) -> None:
    run = shop.late_breaker.submit("a")
    with pytest.raises(UserError):
        run.result(SECONDS)
    before = flower.rows(run.id, 2)

    for step, task in ((1, "agents.late_breaker"), (2, "agents.breaker")):
        task_id = run.id if step == 1 else f"{run.id}.{step}"
        pointer = {"run": {"v": 1, "id": run.id, "step": step}}
        shop.app.send_task(task, kwargs=pointer, task_id=task_id, root_id=run.id)
    marked = [shop.mark.delay("settled") for _ in range(3)]
    for result in marked:
        flower.rows(result.id)

    assert shown(flower.rows(run.id, 2), "name", "state") == shown(before, "name", "state")
