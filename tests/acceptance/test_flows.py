"""Flows on real workers and a real server: results, failures, cancel, kills, and a thousand members."""

from __future__ import annotations

import json
import re
from collections import Counter
from contextlib import nullcontext
from typing import Any

import pytest
from celery import chain, chord

from orchestrator.choice import Choice
from orchestrator.cli.follow import read_events
from orchestrator.cli.lines import event_line
from orchestrator.cli.tree import RunNode, RunTree, fold_events
from orchestrator.entries import Parked
from orchestrator.errors import FlowError, RunCancelled, RunFailed, UserError
from orchestrator.loop import background
from orchestrator.run import Run
from orchestrator.run_ids import child_id
from tests.acceptance.shop import Shop
from tests.acceptance.shop_flows import MANY, random_specs
from tests.support.flow_specs import Broken, evaluate
from tests.support.stack import Stack, wait_until

SECONDS = 60


def tree_of(shop: Shop, run: Run) -> RunNode:
    """The run as people see it."""
    return fold_events(run.id, background.run(read_events(shop.app.orchestrator.ledger, run.id)))


# ---- results ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flow", "given", "expected"),
    [
        ("steps", "x", "expert(x) of x"),
        ("steps", "stop", "expert(stop)"),
        ("sides", "x", '["expert(x)", "closed(expert(x))"]'),
        ("items", "x y", '["expert(x)", "expert(y)"]'),
        ("routed", "loud x", "expert(loud x)"),
        ("routed", "quiet x", "quiet x"),
        ("refined", "x", "x+++"),
        ("hopeless", "x", "x"),
        ("stumbling", "x", "x+"),
        ("picked", "x", "expert(x)"),
        ("voted", "x", '["expert(x)", "expert(x)", "expert(x)"]'),
        ("nested", "x", ["x"]),
        ("enough", "x", ["x", "x"]),
        ("pipeline", "x", "expert(right(mark(x)))"),
        ("gathered", "x", "[mark(x) left(x)]"),
        ("mixed", "x", ['expert(["left(mark(x))", "expert(mark(x))"])', '["left(mark(x))", "expert(mark(x))"]']),
    ],
)
def test_a_flow_on_workers_gives_what_its_plain_evaluation_gives(
    shop: Shop, flow: str, given: str, expected: Any
) -> None:
    run = shop.flows[flow].submit(given)

    assert run.result(SECONDS) == expected


@pytest.mark.parametrize("name", random_specs())
def test_random_nestings_on_workers_give_what_plain_python_gives(shop: Shop, name: str) -> None:
    run = shop.flows[name].submit("tea")

    try:
        expected = evaluate(random_specs()[name], "tea")
    except Broken:
        with pytest.raises(RunFailed):
            run.result(SECONDS)
    else:
        assert run.result(SECONDS) == expected


def test_every_round_is_a_run_with_its_own_task(shop: Shop) -> None:
    run = shop.refined.submit("x")
    run.result(SECONDS)

    node = tree_of(shop, run)

    assert list(node.calls) == [f"{part}[{number}]" for number in (1, 2, 3) for part in ("draft", "verdict")]
    assert [call.child.name for call in node.calls.values() if call.child] == ["adder", "grader"] * 3
    assert node.usage.requests == 6


@pytest.mark.parametrize(
    ("flow", "given", "said"),
    [
        ("steps", "stop", ["gate <lambda> closed"]),
        ("routed", "loud x", ["took loud"]),
        ("refined", "x", ["round 1 has not passed", "round 2 has not passed", "passed in round 3"]),
        (
            "stumbling",
            "x",
            [
                "round 1 has not passed",
                "round 2 failed (lost for words): the best of 1 is round 1",
            ],
        ),
        ("picked", "x", ["picked attempt 2"]),
    ],
)
def test_what_a_flows_code_decides_is_in_its_events_and_on_the_screen(
    shop: Shop, flow: str, given: str, said: list[str]
) -> None:
    run = shop.flows[flow].submit(given)
    run.result(SECONDS)

    events = list(run.events())
    tree = tree_of(shop, run)

    chosen = [choice for event in events for choice in event.to_dict()["entry"].get("choices", ())]
    assert [choice["text"] for choice in chosen] == said
    shown = [str(move) for step in tree.invocations for move in step.moves if isinstance(move, Choice)]
    assert shown == said


def test_each_step_of_a_flow_is_named_once(shop: Shop) -> None:
    run = shop.refined.submit("x")
    run.result(SECONDS)
    tree, lines = RunTree(run.id), list[str]()

    for event in run.events(children=False):
        tree.apply(event)
        lines.append(event_line(event, tree) or "")

    named = [step for line in lines for step in re.findall(r"refined: step (\d+)", line)]
    assert named == [str(number) for number in range(1, 8)]


def test_a_flows_events_hold_those_of_its_members(shop: Shop) -> None:
    run = shop.sides.submit("x")

    events = list(run.events())

    agents = Counter(event.entry.agent for event in events if event.type == "reply")
    assert agents == {"expert": 2, "triage": 1, "specialist": 1, "closer": 1, "echo": 1}
    assert (events[0].type, events[-1].type, events[-1].run_id) == ("input", "outcome", run.id)


def test_submitting_twice_starts_one_run(shop: Shop, key: str) -> None:
    first, second = (shop.items.submit("a b", run_id=key) for _ in range(2))

    assert first.result(SECONDS) == second.result(SECONDS)
    assert len(tree_of(shop, first).calls) == 4


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_thousand_members(shop: Shop) -> None:
    assert shop.wide.submit("x").result(500) == MANY


def test_a_flow_is_submitted_by_name(shop: Shop) -> None:
    assert shop.app.orchestrator.submit("steps", "x").result(SECONDS) == "expert(x) of x"


# ---- beside others ------------------------------------------------------------------------------


def test_a_flow_in_a_chain_takes_what_came_before_and_passes_its_result_on(shop: Shop) -> None:
    canvas = chain(shop.mark.s("x"), shop.steps.s(), shop.mark.s(tag="after"))

    assert canvas.apply_async().get(timeout=SECONDS) == "after(expert(mark(x)) of mark(x))"


def test_flows_as_members_of_a_chord(shop: Shop) -> None:
    canvas = chord([shop.steps.s("a"), shop.inner.s("b"), shop.mark.s("c")], shop.gather.s())

    assert canvas.apply_async().get(timeout=SECONDS) == "[expert(a) of a ['expert(b)', 'b'] mark(c)]"


def test_a_flow_is_an_agents_tool(shop: Shop) -> None:
    assert shop.flow_user.submit("x").result(SECONDS) == '["x", "expert(x)"]'


@pytest.mark.parametrize(
    ("flow", "expected"),
    [
        ("steps", "expert(x) of x"),
        ("sides", '["expert(x)", "closed(expert(x))"]'),
        ("items", '["expert(x)"]'),
        ("refined", "x+++"),
        ("nested", ["x"]),
        ("mixed", ['expert(["left(mark(x))", "expert(mark(x))"])', '["left(mark(x))", "expert(mark(x))"]']),
    ],
)
def test_a_flow_as_native_canvas_gives_the_same(shop: Shop, flow: str, expected: Any) -> None:
    canvas = chain(shop.echo.s("x"), shop.flows[flow].canvas())

    assert canvas.apply_async().get(timeout=SECONDS) == expected


def test_an_agent_in_a_canvas_may_carry_a_prompt(shop: Shop) -> None:
    canvas = chain(shop.order.s("tea"), shop.echo.s(prompt="{input.count} of {input.item}"))

    assert canvas.apply_async().get(timeout=SECONDS) == "2 of tea"


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["", "fails"])
def test_a_flow_hears_of_a_tasks_end_long_before_it_would_look_again(shop: Shop, key: str, ending: str) -> None:
    run, ledger = shop.staying.submit(key + ending), shop.app.orchestrator.ledger
    waiting = child_id(run.id, "2.shop.stay")
    looks = lambda: [entry for _, entry in background.run(ledger.entries(waiting)) if isinstance(entry, Parked)]  # noqa: E731
    wait_until(lambda: len(looks()) == 5, "it sleeps for eight seconds", timeout_seconds=SECONDS)

    shop.set_flag(key + ending)

    wait_until(lambda: background.run(ledger.summary(waiting)).outcome, "the step has ended", timeout_seconds=SECONDS)
    assert background.run(ledger.summary(waiting)).updated_at < looks()[-1].until
    with pytest.raises(RunFailed) if ending else nullcontext():
        assert run.result(SECONDS) == key


# ---- failures -----------------------------------------------------------------------------------


def test_a_failing_member_ends_its_sequence_and_later_steps_never_run(shop: Shop) -> None:
    run = shop.broken.submit("x")

    with pytest.raises(UserError, match=r"Step `2.breaker`: .*explode"):
        run.result(SECONDS)
    assert list(tree_of(shop, run).calls) == ["1.echo", "2.breaker"]


def test_a_nested_failing_parallel_fails_the_outer_one(shop: Shop) -> None:
    with pytest.raises(RunFailed, match=r"Step `1.parallel/2.sequence/1.breaker`"):
        shop.nested_failing.submit("x").result(SECONDS)


def test_a_member_that_fails_ends_the_parallel_and_its_siblings_at_once(shop: Shop, key: str) -> None:
    run = shop.impatient.submit(key)

    with pytest.raises(UserError, match=r"Step `3.sequence/2.breaker`"):
        run.result(SECONDS)

    siblings = lambda: [node.state for node in tree_of(shop, run).walk() if node.name in ("waiter", "impatient")]  # noqa: E731
    wait_until(lambda: not {"queued", "running", "parked"} & set(siblings()), "all have ended")
    assert sorted(siblings()) == ["cancelled"] * 3 + ["failed"] * 2


def test_a_failing_task_fails_the_flow(shop: Shop) -> None:
    with pytest.raises(RunFailed, match=r"Step `2.shop.fail`: .*nothing under x"):
        shop.task_fails.submit("x").result(SECONDS)


def test_an_unknown_category_fails_the_flow(shop: Shop) -> None:
    with pytest.raises(FlowError, match="has no branch for `other`"):
        shop.routed.submit("other x").result(SECONDS)


# ---- cancel -------------------------------------------------------------------------------------


def test_cancel_reaches_members_that_run_wait_and_have_not_begun(shop: Shop, key: str) -> None:
    run = shop.patient.submit(key)
    wait_until(lambda: len(shop.effects(f"waiting:{key}")) == 3, "all three wait")

    run.cancel()

    with pytest.raises(RunCancelled):
        run.result(SECONDS)
    ends = lambda: [node.state for node in tree_of(shop, run).walk()]  # noqa: E731
    wait_until(lambda: not {"queued", "running", "parked"} & set(ends()), "all have ended")
    assert set(ends()) <= {"cancelled", "answered"}
    assert len(shop.effects(f"waiting:{key}")) == 3


def test_a_cancel_that_comes_first_leaves_nothing_to_run(shop: Shop, key: str) -> None:
    shop.app.orchestrator.run(key).cancel()

    with pytest.raises(RunCancelled):
        shop.steps.submit("x", run_id=key).result(SECONDS)


# ---- keys ---------------------------------------------------------------------------------------


def test_rounds_leave_no_keys_but_their_own_and_messages_stay_small(shop: Shop, stack: Stack, key: str) -> None:
    client = shop.app.backend.client
    run = shop.refined.submit(f"x{key}")
    run.result(SECONDS)

    wait_until(lambda: shop.app.orchestrator.run(run.id).status() == "done", "it is delivered")
    members = [child_id(run.id, place) for place in tree_of(shop, run).calls]
    about = list(client.scan_iter(match=f"*{run.id}*", count=1000))
    of_members = [name for name in about if any(member in name.decode() for member in members)]

    assert len(members) == 6
    assert len(of_members) <= 3 * len(members)  # its state, its log and its result
    assert len(about) - len(of_members) <= 5  # the flow's own: state, log, results of its first and last task
    assert all(client.ttl(name) > 0 for name in about)
    assert json.loads(client.get(f"celery-task-meta-{run.id}"))["result"] == f"x{key}+++"
