"""Calls tools the way an invocation does, for tests of single tools."""

from __future__ import annotations

import asyncio
from typing import Any

from orchestrator.context import ToolContext
from orchestrator.tool import FunctionTool, ToolResult, call_tool, function_tool

DEFAULT_TEXT = "An error occurred while running the tool. Please try again."


async def call(tool: FunctionTool, arguments: str = "{}", context: Any = None) -> ToolResult:
    """What comes of a call with these arguments."""
    return await call_tool(tool, ToolContext(context, run_id="run", tool_name=tool.name, call_id="c"), arguments)


def raising(error: BaseException, **options: Any) -> FunctionTool:
    """The tool `fail`, which raises `error`."""

    async def fail() -> str:
        raise error

    return function_tool(fail, **options)


def too_slow(**options: Any) -> FunctionTool:
    """The tool `sleep`, which times out."""

    async def sleep() -> str:
        await asyncio.sleep(30)
        return "awake"

    return function_tool(sleep, timeout=0.02, **options)
