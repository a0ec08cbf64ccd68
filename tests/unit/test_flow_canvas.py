"""What a flow looks like as native canvas."""

from __future__ import annotations

from typing import Any

import pytest
from celery import Celery

from orchestrator import (
    Agent,
    Flow,
    NotInstalled,
    UserError,
    create_app,
    gate,
    install,
    parallel,
    refine,
    route,
    sequence,
    step,
)


@pytest.fixture
def app() -> Celery:
    return create_app("canvas", agents=[Agent(name, queue="slow" if name == "d" else None) for name in "abcd"])


def canvas_of(app: Celery, steps: Any) -> str:
    """As Celery writes it."""
    flow = Flow("f", steps)
    install(app, flows=[flow])
    return str(flow.canvas())


def test_a_sequence_is_a_chain_of_the_agents_own_tasks(app: Celery) -> None:
    found = canvas_of(app, sequence("a", step("b", prompt="Do {input}"), "c"))

    assert found == "agents.a() | b(prompt='Do {input}') | c()"


def test_a_parallel_is_a_group(app: Celery) -> None:
    assert canvas_of(app, parallel("a", "b")) == "group([agents.a(), b()])"


def test_a_parallel_with_a_next_step_is_a_chord(app: Celery) -> None:
    assert canvas_of(app, parallel("a", sequence("b", "c"), then="d")) == "%agents.d([a(), b() | c()])"


def test_a_task_is_its_own_signature(app: Celery) -> None:
    @app.task(name="mail.send")
    def send(text: str) -> None: ...

    assert canvas_of(app, sequence("a", send, send.s(copy=True))) == "agents.a() | mail.send() | mail.send(copy=True)"


def test_a_signature_has_its_agents_queue(app: Celery) -> None:
    flow = Flow("f", "d")
    install(app, flows=[flow])

    assert flow.canvas().options["queue"] == "slow"


@pytest.mark.parametrize(
    "decides",
    [
        refine("a", "b", passes=bool),
        route("a", {"x": "b"}),
        parallel("a", "b", on_failure="keep"),
        sequence("a", gate(bool), "b"),
        sequence("a", step("b", prompt="{a}")),
    ],
    ids=lambda node: node.kind,
)
def test_what_takes_a_decision_is_the_flows_own_task_at_its_place(app: Celery, decides: Any) -> None:
    found = canvas_of(app, parallel("a", decides, then="b"))

    assert found == f"%agents.b([a(), flows.f(place='2.{decides.kind}')])"


def test_what_uses_names_from_outside_takes_all_around_it_along(app: Celery) -> None:
    assert canvas_of(app, parallel("a", parallel(step("b", prompt="{flow_input}")))) == "flows.f()"


def test_a_parallel_inside_of_another_is_no_chord_in_a_chords_header(app: Celery) -> None:
    inner = sequence("a", parallel("a", "b"))

    assert canvas_of(app, parallel(inner, "c")) == "group([flows.f(place='1.sequence'), agents.c()])"


def test_a_step_that_is_loaded_elsewhere_is_left_to_the_flow(app: Celery) -> None:
    assert canvas_of(app, sequence("a", "elsewhere")) == "agents.a() | flows.f(place='2.elsewhere')"


def test_a_canvas_needs_an_app() -> None:
    with pytest.raises(NotInstalled, match=r"Flow `f` belongs to no Celery app yet. Call install\(app, flows"):
        Flow("f", "a").canvas()


def test_an_agents_prompt_in_a_canvas_may_use_its_input_alone(app: Celery) -> None:
    agent = Agent("e")
    install(app, agents=[agent])

    with pytest.raises(UserError, match=r"A prompt in a canvas may use {input} alone, not topic"):
        agent.s(prompt="About {topic}")
