"""Submits runs of this library's agents and flows."""

from __future__ import annotations

import asyncio
from typing import Any

from celery import chain

from benchmarks.apps.ours import AGENTS, FLOWS, answer
from benchmarks.apps.workloads import INSTRUCTIONS, MAX_TURNS
from benchmarks.drivers.loop import Item, Order, question, serve_orders
from orchestrator.loop import background
from orchestrator.models.base import ModelRequest
from orchestrator.models.resolve import resolve_model
from orchestrator.settings import load_settings


async def run_one(order: Order, items: list[Item]) -> str:
    """One run, submitted and awaited."""
    match order.workload:
        case "model_call":
            return await background.arun(call_model(items))
        case "chain":
            links = chain(answer.s(question(items)), *(answer.s() for _ in range(order.width - 1)))
            return await asyncio.to_thread(lambda: str(links.apply_async().get()))
        case "fan_out":
            run = await FLOWS["fan_out"].asubmit([question(items)] * order.width)
            answers = await run
            assert len(answers) == order.width
            return str(answers[0])
        case "sequence" | "refine":
            return str(await (await FLOWS[order.workload].asubmit(question(items))))
        case _:
            given: Any = items if len(items) > 1 else question(items)
            run = await AGENTS[order.workload].asubmit(given, max_turns=MAX_TURNS)
            return str(await run)


async def call_model(items: list[Item]) -> str:
    """A model call and nothing else."""
    model = resolve_model("answer", settings=load_settings())
    reply = await model.respond(ModelRequest(instructions=INSTRUCTIONS, input=items))
    return str(reply.items[0]["content"][0]["text"])


if __name__ == "__main__":
    asyncio.run(serve_orders(run_one))
