"""The explanation of `tasks/`, whose writer writes the beginning of its answer at once, and then takes its time."""

from __future__ import annotations

import asyncio

from orchestrator import create_app
from orchestrator.models.base import ModelReply, ModelRequest, OnDelta
from orchestrator.models.rehearsal import RehearsalModel
from tasks import explanation
from tasks.rehearsal.explanation import writer as script

BEGINNING = 400
"""Characters."""
REST_SECONDS = 600.0
"""Longer than the test waits."""


class SlowModel:
    """The rehearsal model, with a pause in the middle of each reply."""

    name = "slow"

    async def respond(self, request: ModelRequest, *, on_delta: OnDelta | None = None) -> ModelReply:
        reply = await RehearsalModel(script, latency_seconds=0).respond(request)
        text: str = reply.items[0]["content"][0]["text"]
        if on_delta:
            on_delta(text[:BEGINNING])
        await asyncio.sleep(REST_SECONDS)
        return reply


explanation.writer.model = SlowModel()
app = create_app("explanation", modules=[explanation])
