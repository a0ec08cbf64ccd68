"""People decide from any process, while runs are parked, queued or running, and while workers die."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from orchestrator import (
    AlreadyDecided,
    InvalidAnswer,
    NotAsked,
    Run,
    RunNotFound,
    RunOver,
    ToolRemoved,
)
from orchestrator.loop import background
from tests.acceptance.conftest import impatient, messages, producing, start_worker
from tests.acceptance.office import build_office
from tests.acceptance.shop import Shop
from tests.support.model_scripts import ModelScripts
from tests.support.model_server import message, tool_call
from tests.support.stack import REPOSITORY, Process, Stack, wait_until

APP = "tests.acceptance.office_app"
SECONDS = 90


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, scripts: ModelScripts) -> Iterator[Stack]:
    """A reply that is lost with a lease that lapsed would put the model's script out of step: it is long."""
    with Stack(
        tmp_path_factory.mktemp("stack"), app=APP, environment={**impatient(15), **scripts.environment}
    ) as stack:
        yield stack


@pytest.fixture(scope="module")
def office(stack: Stack) -> Iterator[Shop]:
    with producing(stack, build_office) as office:
        yield office


def wait_for_questions(run: Run, count: int = 1) -> list[Any]:
    """What the run asks, once it asks so many things and is parked."""
    wait_until(
        lambda: len(run.approvals()) + len(run.questions()) == count,
        f"{count} things are asked",
        timeout_seconds=SECONDS,
    )
    wait_until(lambda: run.status() == "parked", "the run is parked", timeout_seconds=SECONDS)
    return [*run.approvals(), *run.questions()]


def told(scripts: ModelScripts, key: str) -> list[Any]:
    """The outputs that the key's model was shown last."""
    return [item["output"] for item in scripts.asked(key)[-1]["input"] if item.get("type") == "function_call_output"]


def command(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "orchestrator.cli", "-A", APP, *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **stack.environment},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


def test_a_run_that_asks_holds_neither_worker_nor_message(
    office: Shop, scripts: ModelScripts, worker: Process, key: str
) -> None:
    calls = [tool_call("refund", {"input": key}, call_id="c1"), tool_call("look", {"input": key}, call_id="c2")]
    scripts.add(key, calls, [message("done")])
    run = office.cashier.submit(key)

    [question] = wait_for_questions(run)

    assert (question.run_id, question.call_id, question.kind) == (run.id, "c1", "approval")
    assert (question.agent, question.tool, json.loads(question.arguments)) == ("cashier", "refund", {"input": key})
    assert office.effects(f"look:{key}") == ["looked"]
    # A message that was sent again, because nobody had taken the first one soon, is taken and dropped.
    wait_until(lambda: messages(office.app) == 0, "there is no message")
    assert background.run(office.app.orchestrator.ledger.reconcile(10)) == []

    run.approve(question)

    assert run.result(SECONDS) == "done"
    assert (office.effects(f"refund:{key}"), office.effects(f"look:{key}")) == (["paid"], ["looked"])
    assert len(scripts.asked(key)) == 2


def test_a_flow_waits_with_its_member_for_a_person(
    office: Shop, scripts: ModelScripts, worker: Process, key: str
) -> None:
    scripts.add(key, [tool_call("refund", {"input": key}, call_id="c1")], [message("done")])
    run = office.claim.submit(key)

    [question] = wait_for_questions(run)
    run.approve(question)

    assert question.run_id != run.id
    assert run.result(SECONDS) == "DONE"
    assert office.effects(f"refund:{key}") == ["paid"]


def test_a_decision_counts_while_the_worker_of_another_dies(
    office: Shop, stack: Stack, scripts: ModelScripts, worker: Process, key: str
) -> None:
    calls = [tool_call("slow_refund", {"input": key}, call_id="c1"), tool_call("refund", {"input": key}, call_id="c2")]
    scripts.add(key, calls, [message("done")])
    run = office.cashier.submit(key)
    wait_for_questions(run, 2)
    run.approve("c1")
    wait_until(lambda: office.effects(f"waiting:{key}"), "the first call works", timeout_seconds=SECONDS)

    worker.kill()
    run.approve("c2", by="ann")
    with pytest.raises(AlreadyDecided, match="approved by ann"):
        run.reject("c2")
    office.set_flag(key)
    start_worker(stack)

    assert run.result(SECONDS) == "done"
    assert told(scripts, key) == [f"saw {key}", f"paid {key}"]
    assert office.effects(f"refund:{key}") == ["paid"]
    assert set(office.effects(f"keys:{key}")) == {f"{run.id}:c1"}


def test_of_many_decisions_at_once_one_counts(office: Shop, scripts: ModelScripts, worker: Process, key: str) -> None:
    scripts.add(key, [tool_call("refund", {"input": key}, call_id="c1")], [message("done")])
    run = office.cashier.submit(key)
    wait_for_questions(run)

    def approve(number: int) -> bool:
        try:
            run.approve("c1")
        except (AlreadyDecided, RunOver):
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        counted = list(threads.map(approve, range(8)))

    assert counted.count(True) == 1
    assert run.result(SECONDS) == "done"
    assert office.effects(f"refund:{key}") == ["paid"]


def test_nested_approvals_surface_on_the_outer_run(
    office: Shop, scripts: ModelScripts, worker: Process, key: str
) -> None:
    asks = [tool_call("ask_cashier", {"input": f"cashier {key}"}, call_id="outer")]
    refunds = [tool_call("refund", {"input": key}, call_id="inner")]
    scripts.add(key, asks, refunds, [message("it is paid")], [message("done")])
    run = office.boss.submit(key)
    [outer] = wait_for_questions(run)
    assert (outer.tool, outer.run_id) == ("ask_cashier", run.id)
    run.approve("outer", always=True)

    [inner] = wait_for_questions(run)

    assert (inner.tool, inner.agent, inner.call_id) == ("refund", "cashier", "inner")
    assert inner.run_id != run.id
    run.reject("inner", message="Not today.")
    assert run.result(SECONDS) == "done"
    assert office.effects(f"refund:{key}") == []


def test_a_decision_for_always_holds_for_the_whole_run(
    office: Shop, scripts: ModelScripts, worker: Process, key: str
) -> None:
    calls = [tool_call("refund", {"input": key}, call_id=call_id) for call_id in ("c1", "c2")]
    scripts.add(key, calls, [tool_call("refund", {"input": key}, call_id="c3")], [message("done")])
    run = office.cashier.submit(key)
    wait_for_questions(run, 2)

    run.approve("c1", always=True)

    assert run.result(SECONDS) == "done"
    assert office.effects(f"refund:{key}") == ["paid"] * 3


def test_a_question_expires(office: Shop, scripts: ModelScripts, worker: Process, key: str) -> None:
    scripts.add(key, [tool_call("hasty", {"input": key}, call_id="c1")], [message("too late")])
    run = office.cashier.submit(key)

    assert run.result(SECONDS) == "too late"
    assert told(scripts, key) == ["Tool execution was not approved. Nobody decided in time."]
    assert office.effects(f"hasty:{key}") == []


def test_a_tool_that_was_removed_by_a_deploy_ends_the_run(
    office: Shop, stack: Stack, scripts: ModelScripts, worker: Process, key: str
) -> None:
    scripts.add(key, [tool_call("refund", {"input": key}, call_id="c1")])
    run = office.cashier.submit(key)
    wait_for_questions(run)
    worker.kill()
    deployed = start_worker(stack, OFFICE_LACKS_TOOLS="1")

    run.approve("c1")

    with pytest.raises(ToolRemoved, match="agent `cashier` no longer has that tool"):
        run.result(SECONDS)
    deployed.kill()


@pytest.mark.parametrize("tool", ["move", "move_far"])
def test_a_person_lets_an_interrupted_call_run_again(
    office: Shop, stack: Stack, scripts: ModelScripts, worker: Process, key: str, tool: str
) -> None:
    scripts.add(key, [tool_call(tool, {"input": key}, call_id="c1")], [message("done")])
    run = office.mover.submit(key)
    wait_until(lambda: office.effects(f"waiting:{key}"), "the call works", timeout_seconds=SECONDS)
    worker.kill()
    start_worker(stack)

    [question] = wait_for_questions(run)
    office.set_flag(key)
    run.approve(question)

    assert question.kind == "interrupted"
    assert run.result(SECONDS) == "done"
    assert told(scripts, key) == [f"saw {key}"]
    [first, second] = office.effects(f"keys:{key}")
    assert first == second == f"{run.id}:c1"


@pytest.mark.parametrize("tool", ["move", "move_far"])
def test_a_person_tells_what_became_of_an_interrupted_call(
    office: Shop, stack: Stack, scripts: ModelScripts, worker: Process, key: str, tool: str
) -> None:
    scripts.add(key, [tool_call(tool, {"input": key}, call_id="c1")], [message("done")])
    run = office.mover.submit(key)
    wait_until(lambda: office.effects(f"waiting:{key}"), "the call works", timeout_seconds=SECONDS)
    worker.kill()
    start_worker(stack)
    wait_for_questions(run)

    run.reject("c1", message="I looked: the goods are there.")

    assert run.result(SECONDS) == "done"
    assert told(scripts, key) == ["I looked: the goods are there."]
    assert len(office.effects(f"keys:{key}")) == 1


def test_a_person_answers_a_typed_question(office: Shop, scripts: ModelScripts, worker: Process, key: str) -> None:
    scripts.add(key, [tool_call("ask_person", {"question": f"How many {key}?"}, call_id="q")], [message("done")])
    run = office.clerk.submit(key)
    [question] = wait_for_questions(run)
    assert (question.kind, question.call_id, run.approvals()) == ("answer", "q", [])

    with pytest.raises(InvalidAnswer, match="asks for int"):
        run.answer(question, "many")
    run.answer("q", 7)

    assert run.result(SECONDS) == "done"
    assert told(scripts, key) == ["7"]


def test_what_is_not_asked_is_refused(office: Shop, scripts: ModelScripts, worker: Process, key: str) -> None:
    scripts.add(key, [tool_call("refund", {"input": key}, call_id="c1")], [message("done")])
    run = office.cashier.submit(key)
    wait_for_questions(run)

    with pytest.raises(NotAsked, match="`c9`"):
        run.approve("c9")
    with pytest.raises(RunNotFound):
        office.app.orchestrator.run(f"not-{run.id}").approve("c1")
    run.approve("c1")
    assert run.result(SECONDS) == "done"
    with pytest.raises(RunOver):
        run.approve("c2")


def test_another_process_approves(office: Shop, stack: Stack, scripts: ModelScripts, worker: Process, key: str) -> None:
    scripts.add(key, [tool_call("refund", {"input": key}, call_id="c1")], [message("done")])
    run = office.cashier.submit(key)
    wait_for_questions(run)

    approved = command(stack, "approve", run.id)

    assert (approved.returncode, approved.stdout) == (0, f'Approved: refund(input="{key}")\n'), approved.stderr
    assert run.result(SECONDS) == "done"
    assert told(scripts, key) == [f"paid {key}"]
