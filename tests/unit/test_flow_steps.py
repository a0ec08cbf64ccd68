"""How a flow's run moves in its own tasks, and while an ordinary task works."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator import Agent, Flow, UserError, at_least, parallel, run_inline, sequence
from orchestrator.engine import TaskResult
from orchestrator.errors import RunFailed
from orchestrator.testing import ScriptedModel
from tests.support.flow_process import Process, agent


@pytest.mark.parametrize(("policy", "failures"), [("fail", 1), (at_least(3), 2)])
async def test_members_are_cancelled_once_too_many_others_have_failed(policy: Any, failures: int) -> None:
    failing = [Agent(f"a{number}", model=ScriptedModel([RunFailed("no")])) for number in range(failures)]
    other: Agent[Any] = Agent("other", model=(spared := ScriptedModel(["never asked"])))
    flow = Flow("f", parallel(*failing, agent("c", "1"), other, on_failure=policy))
    process = Process(flow)
    _, [*waiting, last] = await process.perform(await process.submit(flow, "x"))
    performed = [(await process.perform(member))[0] for member in waiting]
    cancelled, _ = await process.perform(last)

    [end] = [end for member in performed for end in member.ended_flows]
    assert (end.claim.task, end.outcome.kind) == ("flows.f", "failure")
    assert cancelled.outcome.kind == "cancelled"
    assert spared.requests == []


async def test_members_that_may_fail_stop_nobody() -> None:
    flow = Flow("f", parallel(Agent("a", model=ScriptedModel([RunFailed("no")])), agent("b", "1"), on_failure="keep"))
    process = Process(flow)
    _, [first, second] = await process.perform(await process.submit(flow, "x"))

    assert (await process.perform(first))[0].ended_flows == []
    [end] = (await process.perform(second))[0].ended_flows

    assert end.outcome.output == ["1"]


async def test_the_tree_shows_members_with_their_places() -> None:
    flow = Flow("f", parallel(agent("a", "1"), sequence(agent("b", "2"), str.upper, name="inner")))
    process = Process(flow)
    waiting = [await process.submit(flow, "x")]
    while waiting:
        waiting += (await process.perform(waiting.pop()))[1]

    root = await process.tree()

    assert [(call.tool, call.state, call.output) for call in root.calls.values()] == [
        ("1.a", "done", "1"),
        ("2.inner", "done", "2"),
    ]
    inner = root.calls["2.inner"].child
    assert inner is not None
    found = {call.tool: call.state for call in inner.calls.values()}
    assert found == {"2.inner/1.b": "done", "2.inner/2.upper": "done"}


# ---- ordinary tasks -----------------------------------------------------------------------------


class Signature(dict[str, Any]):
    """Looks as Celery's does."""

    def apply_async(self) -> None:
        raise AssertionError("a step is sent by the task runner")


class Tasks:
    """A runner whose tasks end when the test says so."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any, str]] = []
        self.result: TaskResult | None = None

    def start(self, work: Any, value: Any, task_id: str, *, run_id: str, queue: str | None) -> None:
        self.sent.append((work["task"], value, task_id))

    def find_result(self, task_id: str) -> TaskResult | None:
        return self.result


async def test_an_ordinary_task_is_sent_once_and_looked_for_until_it_has_ended() -> None:
    flow, tasks = Flow("f", Signature(task="shop.mark")), Tasks()
    process = Process(flow, tasks)

    performed, _ = await process.perform(await process.submit(flow, "x"))
    assert performed.note == "waits for result of task shop.mark"
    tasks.result = TaskResult({"marked": True})
    (woken,) = [await _wake(process)]
    performed, _ = await process.perform(woken)

    assert tasks.sent == [("shop.mark", "x", "run.task")]
    assert performed.outcome.output == {"marked": True}


async def test_an_ordinary_task_that_fails_fails_its_step() -> None:
    flow, tasks = Flow("f", Signature(task="shop.mark")), Tasks()
    tasks.result = TaskResult(None, LookupError("nothing there"))
    process = Process(flow, tasks)

    performed, _ = await process.perform(await process.submit(flow, "x"))

    assert performed.outcome.error["message"] == "LookupError: nothing there"


def test_an_ordinary_task_needs_workers() -> None:
    with pytest.raises(RunFailed, match=r"Step `shop.mark` is a Celery task: run the flow on workers"):
        run_inline(Flow("f", Signature(task="shop.mark")), "x")
    with pytest.raises(UserError, match=r"Step `shop.mark` is a Celery task"):
        run_inline(Flow("f", sequence(Signature(task="shop.mark"))), "x")


async def _wake(process: Process) -> Any:
    """The pointer of the run when its timer has passed."""
    run = process.ledger._runs.find("run")
    assert run is not None
    run.deadline = 1.0
    return (await process.ledger.reconcile(1))[0]
