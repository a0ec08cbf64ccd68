"""Submits tasks of plain Celery, and hears of their results from the backend's own channels.

One subscription for all results, in place of `AsyncResult.get()`, which blocks a thread each: the cheaper way.
"""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from typing import Any

from celery import chain, chord
from redis.asyncio import Redis

from benchmarks.apps.plain_celery import COLLECT, TASKS
from benchmarks.drivers.loop import Item, Order, question, serve_orders

CHANNEL = "celery-task-meta-"


class Results:
    """Futures of results by task id."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[str]] = {}

    async def listen(self) -> None:
        """Settle futures as results are stored."""
        redis = Redis.from_url(os.environ["ORCHESTRATOR_REDIS_URL"], decode_responses=True)
        async with redis.pubsub() as subscription:
            await subscription.psubscribe(f"{CHANNEL}*")
            async for message in subscription.listen():
                if message["type"] == "pmessage":
                    self._settle(json.loads(message["data"]))

    async def run_one(self, order: Order, items: list[Item]) -> str:
        """One task or canvas, published and awaited."""
        task_id = str(uuid.uuid4())
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting[task_id] = future
        make_signature(order, items, task_id).apply_async()
        return await future

    def _settle(self, meta: dict[str, str]) -> None:
        if meta["status"] == "SUCCESS" and (future := self._waiting.pop(meta["task_id"], None)):
            future.set_result(meta["result"])


def make_signature(order: Order, items: list[Item], task_id: str) -> Any:
    """What the order asks for; its result is stored under the task id."""
    answer = TASKS["answer"]
    match order.workload:
        case "chain" | "sequence":
            between = (answer.s() for _ in range(order.width - 2))
            return chain(answer.s(question(items)), *between, answer.s().set(task_id=task_id))
        case "fan_out":
            members = [answer.s(question(items)) for _ in range(order.width)]
            return chord(members, COLLECT.s().set(task_id=task_id))
        case _:
            given: Any = items if len(items) > 1 else question(items)
            return TASKS[order.workload].s(given).set(task_id=task_id)


async def main() -> None:
    """Listen, and carry out orders."""
    results = Results()
    listening = asyncio.create_task(results.listen())
    await serve_orders(results.run_one)
    listening.cancel()


if __name__ == "__main__":
    asyncio.run(main())
