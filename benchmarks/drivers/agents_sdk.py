"""Runs the Agents SDK's agents in this process: its loop, nothing durable."""

from __future__ import annotations

import asyncio
from typing import Any

from agents import ModelSettings, ModelTracing, Runner

from benchmarks.apps.agents_sdk import make_agents, refine
from benchmarks.apps.workloads import INSTRUCTIONS, MAX_TURNS
from benchmarks.drivers.loop import Item, Order, question, serve_orders


async def main() -> None:
    """Carry out orders with one client for all runs."""
    made = make_agents()

    async def ask(workload: str, given: Any) -> str:
        return str((await Runner.run(made[workload], given, max_turns=MAX_TURNS)).final_output)

    async def run_one(order: Order, items: list[Item]) -> str:
        match order.workload:
            case "model_call":
                return await call_model(made["answer"].model, items)
            case "chain" | "sequence":
                said = question(items)
                for _ in range(order.width):
                    said = await ask("answer", said)
                return said
            case "fan_out":
                return (await asyncio.gather(*(ask("answer", question(items)) for _ in range(order.width))))[0]
            case "refine":
                return await refine(ask, question(items))
            case _:
                return await ask(order.workload, items if len(items) > 1 else question(items))

    await serve_orders(run_one)


async def call_model(model: Any, items: list[Item]) -> str:
    """A model call and nothing else."""
    reply = await model.get_response(
        INSTRUCTIONS,
        items,
        ModelSettings(),
        [],
        None,
        [],
        ModelTracing.DISABLED,
        previous_response_id=None,
        conversation_id=None,
        prompt=None,
    )
    return str(reply.output[0].content[0].text)


if __name__ == "__main__":
    asyncio.run(main())
