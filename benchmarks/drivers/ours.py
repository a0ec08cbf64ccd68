"""Submits runs of this library's agents."""

from __future__ import annotations

import asyncio
from typing import Any

from benchmarks.apps.ours import AGENTS
from benchmarks.drivers.loop import Item, serve_orders


async def run_one(workload: str, items: list[Item]) -> str:
    """One run, submitted and awaited."""
    content: Any = items[0]["content"] if len(items) == 1 else items
    run = await AGENTS[workload].asubmit(content)
    return str(await run)


if __name__ == "__main__":
    asyncio.run(serve_orders(run_one))
