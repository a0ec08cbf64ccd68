"""What a flow looks like as native canvas."""

from __future__ import annotations

from typing import Any

import pytest
from celery import Celery

from orchestrator import (
    Agent,
    Budget,
    Flow,
    InvalidInput,
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
    agents = [Agent(name, queue="slow" if name == "d" else None) for name in "abcd"]
    return create_app("canvas", agents=agents, broker_url="memory://", result_backend="cache+memory://")


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

    with pytest.raises(UserError, match=r"A prompt in a canvas may use {input} alone, not {topic}"):
        agent.s(prompt="About {topic}")


# ---- what is refused before anything is sent -----------------------------------------------------


@pytest.mark.parametrize(
    "steps",
    [sequence("a", parallel("b", "c")), parallel("a", "b"), parallel("a", then="b"), refine("a", "b", passes=bool)],
)
def test_a_canvas_without_an_input_is_not_sent(app: Celery, steps: Any) -> None:
    flow = Flow("f", steps)
    install(app, flows=[flow])

    with pytest.raises(InvalidInput, match=r"Task `(agents.a|flows.f)` needs an input, and was sent without. Give it"):
        flow.canvas().apply_async()


@pytest.mark.parametrize("send", [lambda agent: agent.delay(), lambda agent: agent.s().apply_async()])
def test_an_agent_without_an_input_is_not_sent(app: Celery, send: Any) -> None:
    with pytest.raises(InvalidInput, match=r"Task `agents.a` needs an input"):
        send(app.orchestrator.registry.agent("a"))


def test_a_flow_in_a_canvas_is_not_to_answer_at_its_budget(app: Celery) -> None:
    flow = Flow("f", "a")
    install(app, flows=[flow])

    with pytest.raises(InvalidInput, match=r"Flow `f` cannot answer at its budget's limit: .* Leave out on_limit"):
        flow.s("x", budget=Budget(turns=3, on_limit="answer"))
