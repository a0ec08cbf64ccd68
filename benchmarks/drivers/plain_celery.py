"""Submits tasks of plain Celery, and hears of their results from the backend's own channels.

One subscription for all results, in place of `AsyncResult.get()`, which blocks a thread each: the cheaper way.
"""

from __future__ import annotations

import asyncio
import json
import os
import uuid

from redis.asyncio import Redis

from benchmarks.apps.plain_celery import TASKS
from benchmarks.drivers.loop import Item, serve_orders

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

    async def run_one(self, workload: str, items: list[Item]) -> str:
        """One task, published and awaited."""
        task_id = str(uuid.uuid4())
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting[task_id] = future
        TASKS[workload].apply_async((items,), task_id=task_id)
        return await future

    def _settle(self, meta: dict[str, str]) -> None:
        if meta["status"] == "SUCCESS" and (future := self._waiting.pop(meta["task_id"], None)):
            future.set_result(meta["result"])


async def main() -> None:
    """Listen, and carry out orders."""
    results = Results()
    listening = asyncio.create_task(results.listen())
    await serve_orders(results.run_one)
    listening.cancel()


if __name__ == "__main__":
    asyncio.run(main())
