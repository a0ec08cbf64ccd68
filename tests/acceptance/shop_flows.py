"""The shop's flows, one for each combinator and for what can go wrong in one."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from celery import chain, chord
from pydantic import BaseModel

from orchestrator import Agent, Flow, at_least, each, gate, parallel, refine, route, sequence, step, vote
from orchestrator.models.rehearsal import call, say
from tests.support import flow_specs
from tests.support.flow_specs import Spec, build_node, random_spec

MANY = 1000
SEEDS = range(12)


class Parts(BaseModel):
    """A structured list."""

    parts: list[str]


class Grade(BaseModel):
    """A typed verdict."""

    passed: bool
    points: int


def build_agents() -> list[Agent[Any]]:
    """Agents that only flows use."""
    return [
        Agent("splitter", output_type=Parts, rehearsal=lambda r: say(Parts(parts=r.user_text.split()))),
        Agent("adder", rehearsal=lambda r: say(r.user_text + "+")),
        Agent("grader", output_type=Grade, rehearsal=lambda r: say(_grade(r.user_text))),
        Agent("chooser", rehearsal=lambda r: say(r.user_text.split()[0])),
    ]


def _grade(text: str) -> Grade:
    return Grade(passed=text.count("+") >= 3, points=text.count("+"))


def build_flows(agents: Mapping[str, Agent[Any]], tasks: Mapping[str, Any]) -> dict[str, Flow]:
    """The flows by name."""
    flows = [*_plain(agents), *_troubled(agents), *_in_company(agents, tasks), *_random_ones()]
    return {flow.name: flow for flow in flows}


def _plain(agents: Mapping[str, Agent[Any]]) -> list[Flow]:
    echo, expert, adder = agents["echo"], agents["expert"], agents["adder"]
    return [
        Flow(
            "steps",
            sequence(expert, gate(lambda text: "stop" not in text), step(echo, prompt="{input} of {flow_input}")),
        ),
        Flow("relay", sequence(expert, agents["triage"])),
        Flow("sides", parallel(expert, sequence(expert, agents["triage"]), then=echo)),
        Flow("items", each(agents["splitter"], expert, then=echo)),
        Flow("routed", route(agents["chooser"], {"loud": expert, "quiet": echo})),
        Flow("refined", refine(adder, agents["grader"], passes=_passed, revise="{draft}")),
        Flow("hopeless", refine(echo, agents["grader"], passes=_passed, score=_points, max_rounds=3, revise="{draft}")),
        Flow(
            "stumbling",
            refine(adder, sequence(echo, _lose_words, agents["grader"]), passes=_passed, revise="{draft}"),
        ),
        Flow("picked", vote(expert, 3, judge=echo, pick=lambda _: 2)),
        Flow("voted", vote(expert, 3, judge=echo)),
        Flow("wide", parallel(*[echo] * MANY, then=lambda results: len(results))),
    ]


def _passed(grade: Grade) -> bool:
    return grade.passed


def _lose_words(text: str) -> str:
    if text.count("+") >= 2:
        raise ValueError("lost for words")
    return text


def _points(grade: Grade) -> int:
    return grade.points


def _troubled(agents: Mapping[str, Agent[Any]]) -> list[Flow]:
    echo, breaker, waiter = agents["echo"], agents["breaker"], agents["waiter"]
    journey = sequence(agents["expert"], parallel(waiter, sequence(echo, waiter)), lambda waits: len(waits))
    nested = parallel(parallel(echo, breaker), echo, on_failure="keep")
    return [
        Flow("broken", sequence(echo, breaker, echo)),
        Flow("nested", nested),
        Flow("nested_failing", parallel(parallel(echo, sequence(breaker, echo)), echo)),
        Flow("enough", parallel(echo, breaker, echo, on_failure=at_least(2))),
        Flow("impatient", parallel(waiter, sequence(waiter, echo), sequence(echo, breaker))),
        Flow("journey", journey),
        Flow("patient", parallel(sequence(echo, waiter), sequence(waiter, echo), agents["asker"])),
    ]


def _in_company(agents: Mapping[str, Agent[Any]], tasks: Mapping[str, Any]) -> list[Flow]:
    """Flows beside ordinary tasks, other flows and agents that have them as tools."""
    echo, expert = agents["echo"], agents["expert"]
    inner = Flow("inner", parallel(expert, echo))
    return [
        inner,
        Flow("mixed", sequence(echo, tasks["mark"], parallel(tasks["mark"].s(tag="left"), expert), inner)),
        Flow("pipeline", sequence(chain(tasks["mark"].s(), tasks["mark"].s(tag="right")), expert)),
        Flow("gathered", chord([tasks["mark"].s(), tasks["mark"].s(tag="left")], tasks["gather"].s())),
        Flow("staying", sequence(echo, tasks["stay"])),
        Flow("task_fails", sequence(echo, tasks["fail"])),
    ]


def random_specs() -> dict[str, Spec]:
    """The same ones in every process."""
    return {f"random{seed}": random_spec(Random(seed)) for seed in SEEDS}


def _random_ones() -> list[Flow]:
    agents = flow_specs.build_agents()
    return [Flow(name, build_node(spec, agents)) for name, spec in random_specs().items()]


def build_user_of_flows() -> Agent[Any]:
    """An agent that has a flow as a tool."""
    flow = Flow("twice", parallel("echo", "expert"))
    return Agent(
        "flow_user",
        tools=[flow.as_tool("ask_twice", "Asks twice.")],
        rehearsal=lambda r: say(r.outputs["ask_twice"]) if r.outputs else call("ask_twice", input=r.user_text),
    )
