"""The app that the chaos round's workers load: agents of every kind, tools with effects, and ordinary tasks.

Every answer contains the text that its agent was given, so that an audit can tell right answers from wrong ones.
"""

from __future__ import annotations

import asyncio
from typing import Any

from celery import Celery

from orchestrator import Agent, Flow, ToolContext, create_app, function_tool, sequence
from orchestrator.settings import Settings, load_settings
from tests.chaos.effects import record

HEAVY = "heavy"
RELAY = "relay"
"""The flow's name."""
TOOL_SECONDS = 0.05
"""Long enough to be killed in."""


@function_tool(on_interrupt="rerun")
async def charge(ctx: ToolContext[Any], order: str) -> str:
    """Take money: may run again, under the same idempotency key."""
    record("rerun", "charge", order, ctx.idempotency_key, order)
    await asyncio.sleep(TOOL_SECONDS)
    return f"charged {order}"


@function_tool(on_interrupt="report")
async def ship(ctx: ToolContext[Any], order: str) -> str:
    """Send a parcel: must not start twice."""
    record("report", "ship", order, ctx.idempotency_key, order)
    await asyncio.sleep(TOOL_SECONDS)
    return f"shipped {order}"


@function_tool(on_interrupt="rerun", queue=HEAVY)
async def weigh(ctx: ToolContext[Any], order: str) -> str:
    """The same on another queue: may run again."""
    record("rerun", "weigh", order, ctx.idempotency_key, order)
    await asyncio.sleep(TOOL_SECONDS)
    return f"weighed {order}"


@function_tool(on_interrupt="report", queue=HEAVY)
async def seal(ctx: ToolContext[Any], order: str) -> str:
    """The same on another queue: must not start twice."""
    record("report", "seal", order, ctx.idempotency_key, order)
    await asyncio.sleep(TOOL_SECONDS)
    return f"sealed {order}"


def build_agents() -> list[Agent[Any]]:
    """New agents, each known to the scripted model by its instructions."""
    expert = _agent("expert", tools=[charge])
    closer = _agent("closer")
    specialist = _agent("specialist", tools=[charge], handoffs=[closer])
    finisher = _agent("finisher", tools=[weigh])
    ask_expert = expert.as_tool("ask_expert", "Asks an expert.")
    return [
        _agent("clerk", tools=[charge, ship]),
        _agent("triage", handoffs=[specialist]),
        _agent("manager", tools=[ask_expert]),
        _agent("packer", tools=[weigh, seal]),
        _agent("everything", tools=[ask_expert, ship], handoffs=[finisher]),
    ]


def build_flow() -> Flow:
    """Two agents, one after the other."""
    return Flow(RELAY, sequence("clerk", "packer"))


def _agent(name: str, **fields: Any) -> Agent[Any]:
    return Agent(name, instructions=f"You are {name}.", **fields)


def build_app(settings: Settings) -> Celery:
    """The app, on the server that the settings name."""
    app = create_app("chaos", agents=build_agents(), flows=[build_flow()], settings=settings)
    app.task(name="chaos.prepare", bind=True, shared=False)(prepare)
    app.task(name="chaos.keep", bind=True, shared=False)(keep)
    app.task(name="chaos.gather", bind=True, shared=False)(gather)
    return app


def prepare(self: Any, subject: str) -> str:
    """The first task of a chain: makes the agent's input."""
    record("task", "prepare", subject, self.request.id, subject)
    return f"prepared {subject}"


def keep(self: Any, value: str, subject: str) -> str:
    """An ordinary task that follows an agent."""
    record("task", "keep", subject, self.request.id, value)
    return f"kept {value}"


def gather(self: Any, values: list[str], subject: str) -> str:
    """A chord's body."""
    value = " + ".join(values)
    record("task", "gather", subject, self.request.id, value)
    return f"gathered {value}"


def __getattr__(name: str) -> Any:
    """`app` for workers; a producer builds its own."""
    if name in ("app", "celery"):
        return globals().setdefault("app", build_app(load_settings()))
    raise AttributeError(name)
