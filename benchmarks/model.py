"""The benchmark's hold on its fake model server, which is a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from types import TracebackType
from typing import Any
from urllib.request import Request, urlopen

from benchmarks.model_server import Behaviour, Call


class Model:
    """A running fake model server. A context manager: ends it."""

    def __enter__(self) -> Model:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.model_server"], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self._address = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def environment(self) -> dict[str, str]:
        """What a client of OpenAI's needs to call it."""
        return {"OPENAI_BASE_URL": f"{self._address}/v1", "OPENAI_API_KEY": "benchmark"}

    def behave(self, behaviour: Behaviour) -> None:
        """Treat calls so from now on, and begin a new log."""
        self._request("/settings", asdict(behaviour))
        self._request("/reset", {})

    def calls(self) -> list[Call]:
        """Every call since the last `behave`."""
        return [Call(**call) for call in self._request("/log")["calls"]]

    def most_in_flight(self) -> int:
        """The most calls that were in flight at once since the last `behave`."""
        return int(self._request("/log")["most_in_flight"])

    def _request(self, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(f"{self._address}{path}", data=data), timeout=30) as response:
            return json.load(response)
