"""Runs the Agents SDK's agents in this process: its loop, nothing durable."""

from __future__ import annotations

import asyncio
from typing import Any

from agents import Runner

from benchmarks.apps.agents_sdk import make_agents
from benchmarks.apps.workloads import MAX_TURNS
from benchmarks.drivers.loop import Item, serve_orders


async def main() -> None:
    """Carry out orders with one client for all runs."""
    made = make_agents()

    async def run_one(workload: str, items: list[Item]) -> str:
        given: Any = items[0]["content"] if len(items) == 1 else items
        result = await Runner.run(made[workload], given, max_turns=MAX_TURNS)
        return str(result.final_output)

    await serve_orders(run_one)


if __name__ == "__main__":
    asyncio.run(main())
