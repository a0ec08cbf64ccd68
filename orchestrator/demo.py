"""What `orchestrator demo` runs: an app's module offers it as `DEMO`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.agent import Agent


@dataclass(frozen=True)
class DemoRun:
    """One input of a demo."""

    title: str
    input: str
    context: Any = None


@dataclass(frozen=True)
class Demo:
    """An agent, and what to submit to it at once."""

    title: str
    agent: Agent[Any]
    runs: Sequence[DemoRun]
    afterwards: str = ""
    """What the demo says last, such as what else there is to run."""
