"""Takes out of two outcomes what may differ, and only that. Each rule says why."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from tests.conformance.case import Case, Json
from tests.conformance.sides import Outcome


def normalise(outcome: Outcome, case: Case) -> dict[str, Any]:
    """The outcome as it has to be on both sides."""
    plain = dataclasses.asdict(outcome)
    plain["effects"] = _pair_hooks(plain["effects"])
    plain["requests"] = {model: [_request(body) for body in bodies] for model, bodies in outcome.requests.items()}
    if case.is_parallel:
        # What happens side by side has no order: the SDK's tasks share a loop, ours may be on two workers.
        plain["effects"].sort(key=json.dumps)
        for bodies in plain["requests"].values():
            bodies.sort(key=json.dumps)
    return plain


def _pair_hooks(effects: list[Any]) -> list[Any]:
    """The SDK calls the run's and the agent's hook of one event side by side, in no order; we call the run's first."""
    paired: list[Any] = []
    for kind, *rest in effects:
        if kind == "run" and paired and paired[-1][:2] == ["agent", rest[0]]:
            paired.insert(len(paired) - 1, [kind, *rest])
        else:
            paired.append([kind, *rest])
    return paired


def _request(body: Json) -> Json:
    # The SDK sends lists that it has nothing to put into; we leave them out. They mean the same.
    kept = {name: value for name, value in body.items() if not (name in ("include", "tools") and value == [])}
    if "include" in kept:
        kept["include"] = sorted(kept["include"])  # a set there: its order is chance
    if "tools" in kept:
        kept["tools"] = [_tool(tool) for tool in kept["tools"]]
    return kept


def _tool(tool: Json) -> Json:
    parameters = tool.get("parameters") or {}
    if parameters.get("title") != "AgentAsToolInput":
        return tool
    # The schema of an agent called with one text: its description is a docstring of the SDK, ours has none.
    return {**tool, "parameters": {name: value for name, value in parameters.items() if name != "description"}}
