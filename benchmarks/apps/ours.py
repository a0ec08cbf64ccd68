"""The workloads as this library's agents and flows, on an app as `create_app()` makes it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from celery.signals import worker_ready

from benchmarks.apps.workloads import INSTRUCTIONS, MAX_FAN_OUT, REFINE_ROUNDS, SEQUENCE_LENGTH, look_up
from benchmarks.lag import LAG_FILE, sample_lag
from orchestrator import Agent, Flow, create_app, each, function_tool, refine, sequence
from orchestrator.loop import background


@function_tool
def lookup_order(order_id: str) -> str:
    """Look up an order."""
    return look_up(order_id)


def is_good_enough(verdict: str) -> bool:
    """What an evaluator thinks that is never satisfied: all rounds are run."""
    return False


specialist: Agent[None] = Agent(name="specialist", instructions=INSTRUCTIONS, model="triage", tools=[lookup_order])
triage: Agent[None] = Agent(name="triage", instructions=INSTRUCTIONS, model="triage", handoffs=[specialist])
answer: Agent[None] = Agent(name="answer", instructions=INSTRUCTIONS, model="answer")
turns: Agent[None] = Agent(name="turns", instructions=INSTRUCTIONS, model="turns-10", tools=[lookup_order])
judge: Agent[None] = Agent(name="judge", instructions=INSTRUCTIONS, model="judge")

AGENTS = {agent.name: agent for agent in (triage, answer, turns, judge)}
FLOWS = {
    "fan_out": Flow("fan_out", each(None, answer, max_items=MAX_FAN_OUT)),
    "sequence": Flow("sequence", sequence(*[answer] * SEQUENCE_LENGTH)),
    "refine": Flow("refine", refine(answer, judge, passes=is_good_enough, max_rounds=REFINE_ROUNDS)),
}

app = create_app("benchmark", agents=AGENTS.values(), flows=FLOWS.values())


@worker_ready.connect  # type: ignore[untyped-decorator]
def watch_loop(**_: Any) -> None:
    """Write down how late the worker's event loop is, if the scenario wants to know."""
    if path := os.environ.get(LAG_FILE):
        asyncio.run_coroutine_threadsafe(sample_lag(Path(path)), background.loop)
