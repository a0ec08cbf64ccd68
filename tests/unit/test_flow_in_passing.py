"""What becomes of a flow that a member's end has taken: it goes on in the member's task, or in one of its own."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from orchestrator import Agent, Flow, sequence
from orchestrator.errors import MessageError, RunFailed
from orchestrator.ledger.base import Ended
from orchestrator.ledger.memory import MemoryLedger
from orchestrator.models.base import ModelReply, ModelRequest, OnDelta
from orchestrator.testing import ScriptedModel
from tests.support.flow_process import Process, agent


class PausesTheRun(ScriptedModel):
    """Pauses the flow while its member waits for the model."""

    ledger: MemoryLedger

    async def respond(self, request: ModelRequest, *, on_delta: OnDelta | None = None) -> ModelReply:
        await self.ledger.pause("run", request_id="p1")
        return await super().respond(request, on_delta=on_delta)


async def test_the_next_member_starts_at_the_end_of_the_last_one() -> None:
    flow = Flow("f", sequence(agent("a", "1"), agent("b", "2")))
    process = Process(flow)
    _, (first,) = await process.perform(await process.submit(flow, "x"))

    _, following = await process.perform(first)

    assert [pointer.task for pointer in following] == ["agents.b"]
    assert (await process.ledger.summary("run")).status == "parked"  # type: ignore[union-attr]


async def test_a_flow_ends_with_its_last_member_and_is_to_be_delivered_with_it() -> None:
    flow = Flow("f", sequence(agent("a", "1")))
    process = Process(flow)
    _, (first,) = await process.perform(await process.submit(flow, "x"))

    performed, following = await process.perform(first)

    [end] = performed.ended_flows
    assert following == []
    assert (end.claim.task, end.claim.step, end.outcome.output, end.is_done) == ("flows.f", 2, "1", False)
    assert performed.to_close == [end.claim]
    assert (await process.ledger.summary("run")).outcome == end.outcome  # type: ignore[union-attr]


async def test_the_end_of_a_flow_in_a_flow_lets_the_outer_one_go_on() -> None:
    flow = Flow("f", sequence(Flow("inner", sequence(agent("a", "1"))), agent("b", "2")))
    process = Process(flow)
    _, (inner,) = await process.perform(await process.submit(flow, "x"))
    _, (first,) = await process.perform(inner)

    performed, (second,) = await process.perform(first)

    [end] = performed.ended_flows
    assert (end.claim.task, end.outcome.output, end.is_done) == ("flows.inner", "1", True)
    assert performed.to_close == []
    assert second.task == "agents.b"


async def test_flows_that_end_together_end_from_the_inside_out() -> None:
    flow = Flow("f", sequence(Flow("inner", sequence(agent("a", "1")))))
    process = Process(flow)
    _, (inner,) = await process.perform(await process.submit(flow, "x"))
    _, (first,) = await process.perform(inner)

    performed, following = await process.perform(first)

    assert [(end.claim.task, end.pointers) for end in performed.ended_flows] == [("flows.inner", []), ("flows.f", [])]
    assert following == []


@pytest.mark.parametrize("following", [str.upper, lambda text: 1 / 0])
async def test_functions_run_in_a_task_of_the_flows_own(following: Any) -> None:
    flow = Flow("f", sequence(agent("a", "one"), following))
    process = Process(flow)
    _, (first,) = await process.perform(await process.submit(flow, "x"))

    _, (last,) = await process.perform(first)

    assert last.task == "flows.f"
    assert (await process.ledger.summary("run")).status == "queued"  # type: ignore[union-attr]


class CancelsTheFlow(MemoryLedger):
    """Cancels the flow between a member's end, which takes it, and its next park."""

    async def end(self, *args: Any, **options: Any) -> Ended:
        ended = await super().end(*args, **options)
        if ended.woken:
            await self.cancel("run")
        return ended


async def test_a_flow_that_is_cancelled_in_between_ends_at_once() -> None:
    flow = Flow("f", sequence(agent("a", "1"), agent("b", "2")))
    process = Process(flow, ledger=CancelsTheFlow())
    _, (first,) = await process.perform(await process.submit(flow, "x"))

    performed, following = await process.perform(first)

    assert [(end.claim.run_id, end.outcome.kind) for end in performed.ended_flows] == [("run", "cancelled")]
    assert following == []


class DamagesTheLog(MemoryLedger):
    """Cannot read on in the log of a flow that a member's end takes."""

    async def end(self, *args: Any, **options: Any) -> Ended:
        ended = await super().end(*args, **options)
        if ended.woken is None:
            return ended
        return replace(ended, woken=replace(ended.woken, entries=ended.woken.entries[:1], damage=MessageError("no")))


async def test_a_flow_whose_log_is_damaged_is_left_to_a_task_of_its_own() -> None:
    flow = Flow("f", sequence(agent("a", "1"), agent("b", "2")))
    process = Process(flow, ledger=DamagesTheLog())
    _, (first,) = await process.perform(await process.submit(flow, "x"))

    _, (last,) = await process.perform(first)

    assert last.task == "flows.f"
    assert (await process.ledger.summary("run")).status == "queued"  # type: ignore[union-attr]


class TakesTheFlowAway(MemoryLedger):
    """Lets another worker have the flow as soon as a member's end has taken it."""

    async def end(self, *args: Any, **options: Any) -> Ended:
        ended = await super().end(*args, **options)
        return replace(ended, woken=replace(ended.woken, fence=0)) if ended.woken else ended


async def test_a_flow_that_another_worker_has_taken_is_left_to_it() -> None:
    flow = Flow("f", sequence(agent("a", "1"), agent("b", "2")))
    process = Process(flow, ledger=TakesTheFlowAway())
    _, (first,) = await process.perform(await process.submit(flow, "x"))

    performed, following = await process.perform(first)

    assert performed.outcome.output == "1"
    assert following == []


class AnswersLate(MemoryLedger):
    """A member's end is applied, and the answer is under way when the member's time is over."""

    async def end(self, *args: Any, **options: Any) -> Ended:
        ended = await super().end(*args, **options)
        await asyncio.sleep(0.4)
        return ended


async def test_a_members_time_may_be_over_before_its_worker_hears_of_its_end() -> None:
    flow = Flow("f", sequence(agent("a", "1"), agent("b", "2")))
    process = Process(flow, ledger=AnswersLate())
    _, (first,) = await process.perform(await process.submit(flow, "x", deadline_at=time.time() + 0.3))

    performed, following = await process.perform(first)

    assert performed.outcome.output == "1"
    [end] = performed.ended_flows
    assert end.outcome.error["type"] == "DeadlineExceeded"
    assert following == []


async def test_a_members_message_that_comes_again_says_that_it_is_done() -> None:
    flow = Flow("f", sequence(agent("a", "1"), Agent("b", model=ScriptedModel([RunFailed("no")]))))
    process = Process(flow)
    _, (first,) = await process.perform(await process.submit(flow, "x"))
    _, (second,) = await process.perform(first)
    await process.perform(second)

    answered, _ = await process.perform(first)
    failed, _ = await process.perform(second)

    assert (answered.kind, answered.note) == ("stale", "done before, by another message")
    assert (failed.kind, failed.note) == ("stale", "")


async def test_a_flow_that_is_paused_in_between_rests_in_a_task_of_its_own() -> None:
    model = PausesTheRun(["1"])
    flow = Flow("f", sequence(Agent("a", model=model), agent("b", "2")))
    process = Process(flow)
    model.ledger = process.ledger
    _, (first,) = await process.perform(await process.submit(flow, "x"))

    _, (last,) = await process.perform(first)
    performed, _ = await process.perform(last)

    assert last.task == "flows.f"
    assert performed.note == "paused"
    (woken,) = await process.ledger.resume("run", request_id="r1")
    assert [pointer.task for pointer in (await process.perform(woken))[1]] == ["agents.b"]
