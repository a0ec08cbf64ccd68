"""Random flows, and what plain Python makes of them: the same data twice, by two ways that share no code."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from orchestrator import Agent, each, parallel, refine, route, sequence, vote
from orchestrator.errors import UserError
from orchestrator.models.rehearsal import Rehearsal, Say, call, say
from orchestrator.tool import function_tool

LENGTH = 60
"""How much of a text an agent repeats: nested answers would grow without end."""


@dataclass(frozen=True)
class Spec:
    """A flow's part: its kind, its parts, and a number that decides between its variants."""

    kind: str
    parts: tuple[Spec, ...] = ()
    number: int = 0


class Broken(Exception):
    """The plain evaluation of a flow that fails."""


KINDS = ("sequence", "parallel", "keep", "joined", "each", "route", "refine", "vote")
LEAVES = ("echo", "other", "function", "failing")


def random_spec(random: Random, depth: int = 3) -> Spec:
    """A flow at most so deep. One leaf in ten fails."""
    if depth == 0 or random.random() < 0.3:
        return Spec(random.choice(LEAVES[:3]) if random.random() < 0.9 else "failing")
    kind = random.choice(KINDS)
    count = {"each": 1, "refine": 1, "vote": 1, "route": 2}.get(kind) or random.randint(1, 3)
    return Spec(kind, tuple(random_spec(random, depth - 1) for _ in range(count)), random.randint(1, 3))


# ---- as a flow --------------------------------------------------------------------------------


def build_agents() -> dict[str, Agent[Any]]:
    """What leaves are made of."""
    broken = Agent("spec_failing", tools=[explode], rehearsal=lambda r: call("explode"))
    return {
        "echo": Agent("spec_echo", rehearsal=_repeat("echo")),
        "other": Agent("spec_other", rehearsal=_repeat("other")),
        "failing": broken,
    }


@function_tool(failure_error_function=None)
def explode() -> str:
    """Fail."""
    raise UserError("out of order")


def _repeat(name: str) -> Callable[[Rehearsal], Say]:
    return lambda rehearsal: say(answer_of(name, rehearsal.user_text))


def build_node(spec: Spec, agents: Mapping[str, Any]) -> Any:
    """The spec by combinators."""
    parts = [build_node(part, agents) for part in spec.parts]
    match spec.kind:
        case "echo" | "other" | "failing":
            return agents[spec.kind]
        case "function":
            return shout
        case "sequence":
            return sequence(*parts)
        case "parallel":
            return parallel(*parts)
        case "keep":
            return parallel(*parts, on_failure="keep")
        case "joined":
            return parallel(*parts, then=agents["echo"])
        case "each":
            return each(None, parts[0], items=lambda value: split(value, spec.number))
        case "route":
            return route(category_of, {"0": parts[0], "1": parts[1]})
        case "refine":
            return refine(parts[0], judge, passes=is_round, score=int, max_rounds=spec.number, revise="{draft}")
        case "vote":
            return vote(parts[0], spec.number, judge=count)
    raise AssertionError(spec.kind)


# ---- in plain Python --------------------------------------------------------------------------


def evaluate(spec: Spec, value: Any) -> Any:
    """What the flow comes to. Raises `Broken`."""
    match spec.kind:
        case "echo" | "other":
            return answer_of(spec.kind, text_of(value))
        case "failing":
            raise Broken
        case "function":
            return shout(value)
        case "sequence":
            for part in spec.parts:
                value = evaluate(part, value)
            return value
        case "parallel":
            return [evaluate(part, value) for part in spec.parts]
        case "keep":
            return _keep([lambda part=part: evaluate(part, value) for part in spec.parts])
        case "joined":
            return answer_of("echo", text_of([evaluate(part, value) for part in spec.parts]))
        case "each":
            return [evaluate(spec.parts[0], item) for item in split(value, spec.number)]
        case "route":
            return evaluate(spec.parts[int(category_of(value))], value)
        case "refine":
            return _refine(spec, value)
        case "vote":
            return count(_keep([lambda: evaluate(spec.parts[0], value)] * spec.number))
    raise AssertionError(spec.kind)


def _keep(attempts: list[Callable[[], Any]]) -> list[Any]:
    kept = []
    for attempt in attempts:
        try:
            kept.append(attempt())
        except Broken:
            continue
    if not kept:
        raise Broken
    return kept


def _refine(spec: Spec, value: Any) -> Any:
    drafts = []
    for _ in range(spec.number):
        try:
            value = evaluate(spec.parts[0], value)
            points = judge(value)
        except (Broken, ValueError):
            break
        if is_round(points):
            return value
        drafts.append(value)
        value = text_of(value)
    if not drafts:
        raise Broken
    return max(reversed(drafts), key=length_of)


# ---- what both are made of ----------------------------------------------------------------------


def text_of(value: Any) -> str:
    """As agents are shown it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def answer_of(name: str, text: str) -> str:
    """An agent's answer."""
    return f"{name}({text[:LENGTH]})"


def shout(value: Any) -> Any:
    """A step that is a function."""
    return {"loud": text_of(value)[:LENGTH].upper()}


def split(value: Any, pieces: int) -> list[Any]:
    """A list from anything; empty for one in three."""
    text = text_of(value)
    return [f"{number}{text[:LENGTH]}" for number in range(pieces if len(text) % 3 else 0)]


def category_of(value: Any) -> str:
    """A verdict."""
    return str(len(text_of(value)) % 2)


def length_of(value: Any) -> int:
    """How long it is."""
    return len(text_of(value))


def judge(value: Any) -> int:
    """A judge's points, unless the judge fails."""
    if (points := length_of(value)) % 7 == 5:
        raise ValueError("the judge is lost for words")
    return points


def is_round(points: int) -> bool:
    """Whether they are enough."""
    return points % 4 == 0


def count(values: list[Any]) -> int:
    """A judge of attempts."""
    return len(values)
