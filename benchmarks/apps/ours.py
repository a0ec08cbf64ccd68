"""The workloads as this library's agents, on an app as `create_app()` makes it."""

from __future__ import annotations

from benchmarks.apps.workloads import INSTRUCTIONS, look_up
from orchestrator import Agent, create_app, function_tool


@function_tool
def lookup_order(order_id: str) -> str:
    """Look up an order."""
    return look_up(order_id)


specialist: Agent[None] = Agent(name="specialist", instructions=INSTRUCTIONS, model="triage", tools=[lookup_order])
triage: Agent[None] = Agent(name="triage", instructions=INSTRUCTIONS, model="triage", handoffs=[specialist])
answer: Agent[None] = Agent(name="answer", instructions=INSTRUCTIONS, model="answer")
turns: Agent[None] = Agent(name="turns", instructions=INSTRUCTIONS, model="turns-10", tools=[lookup_order])

AGENTS = {agent.name: agent for agent in (triage, answer, turns)}

app = create_app("benchmark", agents=AGENTS.values())
