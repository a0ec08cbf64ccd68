"""A model's server for many runs at once: replies are scripted for each run, by a word in its input."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from typing import Any

from tests.support.model_server import Json, ModelServer, Reply, error

Scripted = Reply | Sequence[Json]


class ModelScripts:
    """Replies by key: a request gets the next reply of the key that its input holds."""

    def __init__(self) -> None:
        self.server = ModelServer(handler=self._choose)
        self._replies: dict[str, list[Scripted]] = {}
        self._asked: dict[str, list[Json]] = {}
        self._lock = threading.Lock()

    @property
    def environment(self) -> dict[str, str]:
        """What a worker needs to ask this model."""
        return {"OPENAI_BASE_URL": self.server.url, "OPENAI_API_KEY": "test-key", "ORCHESTRATOR_MODEL": "test-model"}

    def add(self, key: str, *replies: Scripted) -> None:
        """Put replies at the end of a key's script. Its last reply is given for ever."""
        self._replies.setdefault(key, []).extend(replies)

    def asked(self, key: str) -> list[Json]:
        """The requests that a key has had so far."""
        return list(self._asked.get(key, []))

    def _choose(self, body: Json, path: str) -> Scripted:
        text = json.dumps(body.get("input") or body.get("messages"))
        with self._lock:
            for key, replies in self._replies.items():
                if key in text:
                    self._asked.setdefault(key, []).append(body)
                    return replies.pop(0) if len(replies) > 1 else replies[0]
        return error(400, f"no script for {text[:200]}")

    def __enter__(self) -> ModelScripts:
        self.server.__enter__()
        return self

    def __exit__(self, *details: Any) -> None:
        self.server.__exit__(*details)
