"""An app whose model thinks until it is cancelled, and notes when that was."""

from __future__ import annotations

import asyncio
import os
import time

from orchestrator import Agent, create_app
from orchestrator.models.base import ModelReply, ModelRequest, OnDelta

NOTES = "CANCEL_NOTES"


class Thinker:
    """Never answers."""

    name = "thinker"

    async def respond(self, request: ModelRequest, *, on_delta: OnDelta | None = None) -> ModelReply:
        try:
            await asyncio.Event().wait()
        finally:
            with open(os.environ[NOTES], "a", encoding="utf-8") as notes:
                notes.write(f"{time.time()}\n")
        raise AssertionError("nobody waits that long")


app = create_app("thinkers", agents=[Agent("thinker", model=Thinker())])
