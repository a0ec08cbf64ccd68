"""Runs the local calls of one reply side by side, and records each output as it comes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from pydantic_core import to_jsonable_python

from orchestrator.context import ToolContext
from orchestrator.entries import Output
from orchestrator.hooks import HookCaller
from orchestrator.models.base import Item
from orchestrator.tool import FunctionTool, ToolResult
from orchestrator.tool_guard import call_guarded_tool

MakeContext = Callable[[Item], ToolContext[Any]]
Record = Callable[[Output], Awaitable[None]]


class ToolRunner:
    """Runs calls with hooks and a limit on how many run at once."""

    def __init__(
        self, make_context: MakeContext, hooks: HookCaller, record: Record, *, limit: int | None, keep_values: bool
    ) -> None:
        self._make_context = make_context
        self._hooks = hooks
        self._record = record
        self._slots: contextlib.AbstractAsyncContextManager[Any] = (
            asyncio.Semaphore(limit) if limit else contextlib.nullcontext()
        )
        self._keep_values = keep_values

    async def run(self, calls: Sequence[tuple[Item, FunctionTool]]) -> None:
        """Run all calls. If some raise, the unfinished others are cancelled and the first in order is raised."""
        tasks = [asyncio.ensure_future(self._run_one(call, tool)) for call, tool in calls]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for task in tasks:
                task.cancel()
            finished = await asyncio.gather(*tasks, return_exceptions=True)
        errors = [error for error in finished if isinstance(error, Exception)]
        if errors:
            raise errors[0]

    async def _run_one(self, call: Item, tool: FunctionTool) -> None:
        async with self._slots:
            context = self._make_context(call)
            result = await call_guarded_tool(tool, context, self._hooks.agent, self._hooks)
            await self._record(to_output(call, result, keep_value=self._keep_values))


def to_output(call: Item, result: ToolResult, *, keep_value: bool) -> Output:
    """The entry that settles a call."""
    value = to_jsonable_python(result.value, fallback=str) if keep_value else None
    return Output(call_id=call["call_id"], tool=call["name"], output=result.output, value=value, failed=result.failed)
