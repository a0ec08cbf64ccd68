"""The model of the chaos round: a real HTTP server that decides by content, fails now and then, and keeps a log."""

from __future__ import annotations

import hashlib
import json
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.support.model_server import Json, ModelServer, Reply, error, message, tool_call

FAILURE_RATE = 0.05
FAILURES_IN_A_ROW = 2
"""Fewer than a run survives: its model calls are made three times."""
LATENCY_SECONDS = (0.1, 0.3)

_AGENT = re.compile(r"You are (\w+)\.")
_SUBJECT = re.compile(r"item-[\w-]+")


@dataclass(frozen=True)
class ModelCall:
    """One request. Two with one `identity` asked the same question of the same conversation."""

    response_id: str
    """Under which the ledger has the reply, if it got there."""
    identity: str
    subject: str
    worker: str
    began_at: float
    ends_at: float
    """When the reply is sent."""
    is_failure: bool


class ScriptedModel:
    """Serves workers, each known by its API key."""

    def __init__(
        self,
        seed: int,
        *,
        failure_rate: float = FAILURE_RATE,
        latency_seconds: tuple[float, float] = LATENCY_SECONDS,
    ) -> None:
        self.server = ModelServer(handler=self._answer)
        self.calls: list[ModelCall] = []
        self._failure_rate = failure_rate
        self._latency_seconds = latency_seconds
        self._random = random.Random(seed)
        self._failures: Counter[str] = Counter()
        self._lock = threading.Lock()

    def environment(self, worker: str) -> dict[str, str]:
        """What a worker needs to ask this model, under its own name."""
        return {"OPENAI_BASE_URL": self.server.url, "OPENAI_API_KEY": worker, "ORCHESTRATOR_MODEL": "test-model"}

    def _answer(self, body: Json, path: str) -> Reply:
        # The server has just recorded this request, on this same thread.
        worker = self.server.requests[-1].headers["authorization"].removeprefix("Bearer ")
        asked = json.dumps([body["instructions"], body["input"]], sort_keys=True)
        identity = hashlib.sha256(asked.encode()).hexdigest()[:16]
        with self._lock:
            delay = self._random.uniform(*self._latency_seconds)
            failure = self._choose_failure(identity)
            now = time.time()
            subject = _SUBJECT.search(asked)
            word = subject.group() if subject else ""
            response_id = f"resp_{len(self.calls)}"
            self.calls.append(ModelCall(response_id, identity, word, worker, now, now + delay, failure is not None))
        return failure or Reply(items=decide(body), delay_seconds=delay, changes={"id": response_id})

    def _choose_failure(self, identity: str) -> Reply | None:
        if self._random.random() >= self._failure_rate or self._failures[identity] >= FAILURES_IN_A_ROW:
            return None
        self._failures[identity] += 1
        kinds: list[Callable[[], Reply]] = [
            lambda: error(500),
            lambda: error(429, headers={"Retry-After": "1"}),
            lambda: Reply(drop="before", delay_seconds=0.1),
        ]
        return self._random.choice(kinds)()


def decide(body: Json) -> list[Json]:
    """The reply to a conversation, whoever asks, and however often."""
    found = _AGENT.search(body["instructions"])
    assert found, body["instructions"]
    said = _user_text(body["input"])
    subject = _SUBJECT.search(said)
    assert subject, said
    return _SCRIPTS[found.group(1)](said, subject.group(), _outputs(body["input"]))


Outputs = Mapping[str, list[str]]
"""What each tool of the conversation has answered."""


def _clerk(said: str, order: str, outputs: Outputs) -> list[Json]:
    if "charge" not in outputs:
        return [tool_call("charge", {"order": order})]
    if "ship" not in outputs:
        return [tool_call("ship", {"order": order})]
    return _say("clerk", said, outputs, charge=f"charged {order}", ship=f"shipped {order}")


def _triage(said: str, order: str, outputs: Outputs) -> list[Json]:
    return [tool_call("transfer_to_specialist")]


def _specialist(said: str, order: str, outputs: Outputs) -> list[Json]:
    if "charge" not in outputs:
        return [tool_call("charge", {"order": order})]
    return [tool_call("transfer_to_closer")]


def _closer(said: str, order: str, outputs: Outputs) -> list[Json]:
    return _say("closer", said, outputs, charge=f"charged {order}")


def _manager(said: str, order: str, outputs: Outputs) -> list[Json]:
    if "ask_expert" not in outputs:
        return [tool_call("ask_expert", {"input": f"{order}-{part}"}) for part in ("a", "b")]
    return _say("manager", said, outputs, ask_expert=f"expert({order}-a) & expert({order}-b)")


def _expert(said: str, order: str, outputs: Outputs) -> list[Json]:
    if "charge" not in outputs:
        return [tool_call("charge", {"order": order})]
    return _say("expert", said, outputs, charge=f"charged {order}")


def _packer(said: str, order: str, outputs: Outputs) -> list[Json]:
    if not outputs:
        return [tool_call("weigh", {"order": order}), tool_call("seal", {"order": order})]
    return _say("packer", said, outputs, weigh=f"weighed {order}", seal=f"sealed {order}")


def _everything(said: str, order: str, outputs: Outputs) -> list[Json]:
    if "ask_expert" not in outputs:
        return [tool_call("ask_expert", {"input": f"{order}-a"}), tool_call("ship", {"order": order})]
    return [tool_call("transfer_to_finisher")]


def _finisher(said: str, order: str, outputs: Outputs) -> list[Json]:
    if "weigh" not in outputs:
        return [tool_call("weigh", {"order": order})]
    wanted = {"ask_expert": f"expert({order}-a)", "ship": f"shipped {order}", "weigh": f"weighed {order}"}
    return _say("finisher", said, outputs, **wanted)


_SCRIPTS: dict[str, Callable[[str, str, Outputs], list[Json]]] = {
    "clerk": _clerk,
    "triage": _triage,
    "specialist": _specialist,
    "closer": _closer,
    "manager": _manager,
    "expert": _expert,
    "packer": _packer,
    "everything": _everything,
    "finisher": _finisher,
}


def _say(agent: str, said: str, outputs: Outputs, **wanted: str) -> list[Json]:
    """The answer; a wrong one if a tool's output is not what it should be, or, for a lost call, unknown."""
    for tool, text in wanted.items():
        got = " & ".join(outputs.get(tool, []))
        if got != text and "outcome of this call is unknown" not in got:
            return [message(f"WRONG {agent}({said}): {tool} answered {got!r}")]
    return [message(f"{agent}({said})")]


def _user_text(items: list[Json]) -> str:
    content = next(item["content"] for item in items if item.get("role") == "user")
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def _outputs(items: list[Json]) -> dict[str, list[str]]:
    names = {item["call_id"]: item["name"] for item in items if item.get("type") == "function_call"}
    outputs: dict[str, list[str]] = {}
    for item in items:
        if item.get("type") == "function_call_output":
            outputs.setdefault(names[item["call_id"]], []).append(item["output"])
    return outputs
