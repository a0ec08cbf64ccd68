"""The fold of events into the tree that `watch` and `show` draw."""

from __future__ import annotations

import pytest

from orchestrator.cli.activity import activity_of
from orchestrator.cli.nodes import CallNode, RunNode
from orchestrator.cli.tree import fold_events
from orchestrator.entries import ChildEnded, HandedOff, Invoked, Outcome, Output, Parked, Reply, Started
from orchestrator.events import Event
from tests.support.run_events import (
    CHILD,
    RUN,
    Story,
    given,
    handed_off,
    invoked,
    passing_story,
    refine_story,
    reply,
    support_story,
    tool_call,
)


def fold(events: list[Event]) -> RunNode:
    return fold_events(RUN, events)


def until(kind: type[object], *, count: int = 1) -> RunNode:
    """The support story up to the first, second … entry of a kind."""
    story = support_story().events
    ends = [index for index, event in enumerate(story) if isinstance(event.entry, kind)]
    return fold(story[: ends[count - 1] + 1])


def test_every_invocation_is_a_node_with_its_agent_worker_and_task_id() -> None:
    run = fold(support_story().events)

    found = [(node.step, node.name, node.worker, node.task_id) for node in run.invocations]

    assert found == [
        (1, "triage", "llm1@host", "run"),
        (2, "refunds", "llm2@host", "run.2"),
        (3, "refunds", "llm1@host", "run.3"),
    ]


def test_an_answered_run_has_its_times_and_usage() -> None:
    run = fold(support_story().events)

    assert run.state == "answered"
    assert run.ended_at is not None
    assert run.ended_at - run.began_at == pytest.approx(1.7)
    assert run.usage.total_tokens == 40
    assert activity_of(run) is None


def test_turns_hold_the_model_its_tokens_and_its_time() -> None:
    run = fold(support_story().events)

    [turn] = run.invocations[0].turns

    assert (turn.number, turn.model, turn.usage.total_tokens) == (1, "rehearsal", 10)
    assert turn.ended_at - turn.began_at == pytest.approx(0.1)


def test_a_handoff_names_its_target() -> None:
    run = until(HandedOff)

    [call] = run.invocations[0].turns[0].calls

    assert (call.state, call.target) == ("handoff", "refunds")
    assert activity_of(run).what == "queued for refunds"  # type: ignore[union-attr]


def test_of_two_handoffs_in_one_reply_the_other_is_ignored() -> None:
    story = Story().add(given("triage", "hi")).add(invoked("triage", 1))
    story.add(reply("triage", tool_call("h1", "transfer_to_a"), tool_call("h2", "transfer_to_b")))

    run = fold(story.add(handed_off("triage", "a", "h1", "h2")).events)

    assert {call.call_id: call.state for call in run.calls.values()} == {"h1": "handoff", "h2": "ignored"}


def test_a_tool_runs_from_its_start_to_its_output() -> None:
    running, done = until(Started), until(Output)

    assert activity_of(running).what == "runs find_order"  # type: ignore[union-attr]
    assert running.calls["c1"].state == "running"
    assert (done.calls["c1"].state, done.calls["c1"].output) == ("done", "charger, 39 EUR")


def test_member_of_a_flow_of_one_step_has_a_name() -> None:
    story = Story().add(given("explanation", "Why?"))
    story.add(Invoked(step=1, task="flows.explanation", worker="llm1@host", fence=1)).add(Parked(waits={"": CHILD}))

    (member,) = fold(story.events).invocations[0].moves

    assert isinstance(member, CallNode)
    assert member.tool == "step"


def test_a_called_agent_is_a_tree_below_its_call() -> None:
    run = fold(support_story().events)

    child = run.calls["c2"].child

    assert child is not None
    assert (child.run_id, child.name, child.state) == (CHILD, "policy", "answered")
    assert [node.run_id for node in run.walk()] == [RUN, CHILD]


def test_a_parked_run_tells_what_it_waits_for_until_that_has_ended() -> None:
    waiting, ended = until(Parked), until(ChildEnded)

    assert (waiting.state, activity_of(waiting).what) == ("parked", "waits for ask_policy")  # type: ignore[union-attr]
    assert activity_of(ended).what == "queued to go on"  # type: ignore[union-attr]


def test_a_call_keeps_the_time_at_which_its_agent_ended() -> None:
    call = fold(support_story().events).calls["c2"]

    assert call.ended_at is not None
    assert call.ended_at - call.asked_at == pytest.approx(0.8)


def test_children_may_be_heard_before_their_parent_parks() -> None:
    story = support_story().events
    [parked] = [event for event in story if isinstance(event.entry, Parked)]
    others = [event for event in story if event is not parked]
    place = next(index for index, event in enumerate(others) if event.run_id == CHILD) + 2

    run = fold([*others[:place], parked, *others[place:]])

    assert run.calls["c2"].child is not None
    assert run.calls["c2"].child.state == "answered"


def test_a_step_that_was_taken_up_again_shows_the_lost_invocation() -> None:
    story = Story().add(given("triage", "hi")).add(invoked("triage", 1))

    run = fold(story.add(invoked("triage", 1, worker="llm2@host", fence=2)).events)

    assert [(node.worker, node.is_lost) for node in run.invocations] == [("llm1@host", True), ("llm2@host", False)]


def test_a_step_that_was_given_back_is_not_lost_and_seen_only_if_something_came_of_it() -> None:
    story = Story().add(given("triage", "hi")).add(invoked("triage", 1)).add(reply("triage", text="Hm."))

    story.add(invoked("triage", 1, worker="llm2@host", fence=2, after_release=True))
    run = fold(story.add(invoked("triage", 1, worker="llm3@host", fence=3, after_release=True)).events)

    assert [(node.worker, node.is_lost) for node in run.invocations] == [("llm1@host", False), ("llm3@host", False)]


def test_a_delivery_after_the_end_is_no_invocation() -> None:
    story = support_story()

    run = fold(story.add(invoked("refunds", 3, fence=9)).events)

    assert len(run.invocations) == 3
    assert run.state == "answered"


def test_of_a_flows_steps_in_passing_the_last_is_a_task_which_delivers() -> None:
    story = refine_story()

    before, after = fold(story.events[:-1]), fold(passing_story().events)

    assert [(node.is_in_passing, node.has_task) for node in before.invocations] == [
        (False, True),
        (True, False),
        (False, True),
    ]
    assert [(node.is_in_passing, node.has_task) for node in after.invocations] == [(False, True), (True, True)]
    assert after.state == "answered"


def test_a_cancelled_run_leaves_no_call_open() -> None:
    story = support_story()
    story.events = story.events[:7]

    run = fold(story.add(Outcome(kind="cancelled", error={"type": "RunCancelled", "message": "stopped"})).events)

    assert run.state == "cancelled"
    assert {call.call_id: call.state for call in run.calls.values()} == {
        "h1": "handoff",
        "c1": "failed",
        "c2": "ignored",
    }
    assert run.usage.total_tokens == 20


def test_a_failed_tool_is_marked() -> None:
    story = Story().add(given("a", "hi")).add(invoked("a", 1)).add(reply("a", tool_call("c", "divide")))

    run = fold(story.add(Output(call_id="c", tool="divide", output="by zero", failed=True)).events)

    assert run.calls["c"].state == "failed"


@pytest.mark.parametrize(
    ("kind", "expected"), [(Invoked, "asks the model"), (Reply, "asks the model"), (HandedOff, "queued for refunds")]
)
def test_there_is_always_something_that_a_live_run_does(kind: type[object], expected: str) -> None:
    found = activity_of(until(kind))

    assert found is not None
    assert found.what == expected


def test_the_fold_does_not_depend_on_where_it_stops() -> None:
    story = support_story().events

    for end in range(len(story) + 1):
        fold(story[:end])


def test_a_run_that_waits_for_a_limit_says_so() -> None:
    story = Story().add(given("triage", "hi")).add(invoked("triage", 1)).add(Parked(until=1.0, limit="gpt-5*"))

    assert activity_of(fold(story.events)).what == "waits for the limit of model gpt-5*"  # type: ignore[union-attr]
