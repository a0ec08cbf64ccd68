"""An office whose agents ask people, for tests on real workers."""

from __future__ import annotations

import os
from typing import Any

from orchestrator import Agent, Flow, ToolContext, ask_person, create_app, function_tool, sequence
from orchestrator.settings import Settings
from tests.acceptance.shop import Shop, wait_for_flag
from tests.acceptance.shop_effects import record

HEAVY = "heavy"


def build_office(settings: Settings) -> Shop:
    """The office's app. With `OFFICE_LACKS_TOOLS` its cashier has lost its tools."""
    agents = {agent.name: agent for agent in _make_agents()}
    claim = Flow("claim", sequence(agents["cashier"], str.upper))
    app = create_app("office", agents=agents.values(), flows=[claim], settings=settings)
    return Shop(app, agents, flows={claim.name: claim})


def _make_agents() -> list[Agent[Any]]:
    tools = [] if os.environ.get("OFFICE_LACKS_TOOLS") else [refund, slow_refund, hasty, look]
    cashier = Agent("cashier", tools=tools)
    boss = Agent("boss", tools=[cashier.as_tool("ask_cashier", "Asks.", needs_approval=True), refund])
    mover = Agent("mover", tools=[move, move_far])
    clerk = Agent("clerk", tools=[ask_person(output_type=int)])
    return [cashier, boss, mover, clerk]


@function_tool(needs_approval=True)
def refund(input: str) -> str:
    """Pay money back."""
    record(f"refund:{input}", "paid")
    return f"paid {input}"


@function_tool(needs_approval=True)
async def slow_refund(context: ToolContext[Any], input: str) -> str:
    """Pay money back, which takes its time."""
    record(f"keys:{input}", context.idempotency_key)
    return str(await wait_for_flag.on_invoke_tool(context, context.arguments))


@function_tool(needs_approval=True, approval_expires_seconds=1.0)
def hasty(input: str) -> str:
    """Do what must be approved soon."""
    record(f"hasty:{input}", "done")
    return "done"


@function_tool
def look(input: str) -> str:
    """Look something up."""
    record(f"look:{input}", "looked")
    return "seen"


@function_tool(on_interrupt="ask")
async def move(context: ToolContext[Any], input: str) -> str:
    """Move goods."""
    record(f"keys:{input}", context.idempotency_key)
    return str(await wait_for_flag.on_invoke_tool(context, context.arguments))


@function_tool(on_interrupt="ask", queue=HEAVY)
async def move_far(context: ToolContext[Any], input: str) -> str:
    """Move goods far."""
    record(f"keys:{input}", context.idempotency_key)
    return str(await wait_for_flag.on_invoke_tool(context, context.arguments))
