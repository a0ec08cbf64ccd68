"""The people who decide about calls, on either side."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import agents

from orchestrator import Run

ASK_SECONDS = 60.0


def decide_in_sdk(result: agents.RunResult, said: Mapping[str, bool | str]) -> Any:
    """The state to resume with, in which the interruptions named have been decided."""
    state = result.to_state()
    for asked in result.interruptions:
        answer = said.get(getattr(asked.raw_item, "call_id", ""))
        if answer is True:
            state.approve(asked)
        elif answer is False:
            state.reject(asked)
        elif isinstance(answer, str):
            state.reject(asked, rejection_message=answer)
    return state


async def decide_in_engine(run: Run, said: Mapping[str, bool | str]) -> None:
    """Wait until all the calls named are asked about, then decide."""
    async with asyncio.timeout(ASK_SECONDS):
        while not said.keys() <= {question.call_id for question in await run.aapprovals()}:
            await asyncio.sleep(0.02)
    for call_id, answer in said.items():
        if answer is True:
            await run.aapprove(call_id)
        else:
            await run.areject(call_id, message=answer or None)
