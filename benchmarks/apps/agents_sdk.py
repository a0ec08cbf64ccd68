"""The workloads as the Agents SDK's agents."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from agents import Agent, OpenAIResponsesModel, function_tool, set_tracing_disabled
from openai import AsyncOpenAI

from benchmarks.apps.workloads import INSTRUCTIONS, REFINE_ROUNDS, look_up

set_tracing_disabled(True)


@function_tool
def lookup_order(order_id: str) -> str:
    """Look up an order."""
    return look_up(order_id)


def make_agents() -> dict[str, Agent[Any]]:
    """The agents, with a client of their own: its connections cannot move between event loops."""
    client = AsyncOpenAI()

    def make(name: str, script: str, **parts: Any) -> Agent[Any]:
        return Agent(name=name, instructions=INSTRUCTIONS, model=OpenAIResponsesModel(script, client), **parts)

    specialist = make("specialist", "triage", tools=[lookup_order])
    return {
        "triage": make("triage", "triage", handoffs=[specialist]),
        "answer": make("answer", "answer"),
        "turns": make("turns", "turns-10", tools=[lookup_order]),
        "judge": make("judge", "judge"),
    }


async def refine(ask: Callable[[str, str], Awaitable[str]], task: str) -> str:
    """A draft and a verdict a round, until the rounds are over. `ask` takes a workload and its input."""
    draft = await ask("answer", task)
    verdict = await ask("judge", draft)
    for _ in range(REFINE_ROUNDS - 1):
        draft = await ask("answer", f"{task}\n\nYour last draft:\n{draft}\n\nWhat was said about it:\n{verdict}")
        verdict = await ask("judge", draft)
    return draft
