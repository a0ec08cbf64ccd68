"""What a run is doing, or waiting for, at this moment. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from orchestrator.cli.nodes import RunNode
from orchestrator.question import describe_question


@dataclass(frozen=True)
class Activity:
    """What a run is doing at this moment."""

    what: str
    since: float


def activity_of(run: RunNode) -> Activity | None:
    """What the run is doing at this moment; `None` once it has ended."""
    running = [call for call in run.calls.values() if call.state == "running"]
    match run.state:
        case "queued":
            return Activity(f"queued for {_next_agent(run)}", run.changed_at)
        case "parked":
            waiting = open_waits(run)
            return Activity(f"waits for {', '.join(waiting)}" if waiting else "queued to go on", run.changed_at)
        case "running" if running:
            return Activity("runs " + ", ".join(call.tool for call in running), running[0].asked_at)
        case "running":
            kind = run.invocations[-1].task.partition(".")[0]
            does = {"tools": "runs the tool", "flows": "decides what follows"}.get(kind, "asks the model")
            return Activity(does, run.changed_at)
        case "answered" | "failed" | "cancelled":
            return None
        case _:
            assert_never(run.state)


def open_waits(run: RunNode) -> list[str]:
    """What the run waits for: called agents and tools by name, people, or something else."""
    waiting = [call for call in run.calls.values() if call.state == "waiting"]
    called = [describe_question(call.question) if call.question else call.tool for call in waiting]
    return called or ([run.waits_for] if run.waits_for else [])


def _next_agent(run: RunNode) -> str:
    targets = [call.target for call in run.calls.values() if call.target]
    return targets[-1] if targets else run.name
