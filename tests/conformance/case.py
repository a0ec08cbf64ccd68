"""`@case`: an agent, what it is asked and what its models answer, written once for both sides."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support.model_server import Reply

if TYPE_CHECKING:
    from tests.conformance.kit import Kit

Json = dict[str, Any]
Scripted = Reply | Sequence[Json]
Chooser = Callable[[Json], Scripted]
"""Picks a reply by the request's body, for models that are called side by side."""
Script = Sequence[Scripted] | Chooser


@dataclass(frozen=True)
class Case:
    """One comparison. `build` makes the starting agent from either side's kit."""

    name: str
    build: Callable[[Kit], Any]
    scripts: Mapping[str, Script]
    """By model: the part of the model's name behind the dot, empty for the case's own model."""
    input: str | list[Json] = "Go."
    context: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)
    """`max_turns` and fields of `RunOptions`."""
    records_hooks: bool = False
    differs: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    """Deliberate differences: a field of the outcome, ours and theirs. `docs/differences.md` has the reasons."""
    decisions: Sequence[Mapping[str, bool | str]] = ()
    """What people say, round by round: by call id true, false, or the text of a rejection."""
    is_parallel: bool = False
    """Effects, and requests of one model, happen side by side: their order is not compared."""

    def reply(self, model: str, number: int, body: Json) -> Scripted | None:
        """The answer to the model's call with this number, from 0."""
        script = self.scripts[model]
        if callable(script):
            return self._fill(script(body))
        return self._fill(script[number]) if number < len(script) else None

    def _fill(self, scripted: Scripted) -> Scripted:
        """Names of agents, and of their handoffs, hold the name of the case."""
        if isinstance(scripted, Reply):
            return scripted
        filled: list[Json] = json.loads(json.dumps(scripted).replace("{case}", self.name))
        return filled


CASES: dict[str, Case] = {}


def case(script: Script | Mapping[str, Script], **fields: Any) -> Callable[[Callable[[Kit], Any]], Case]:
    """Register the decorated function as a case of its name."""
    scripts = script if isinstance(script, Mapping) else {"": script}

    def register(build: Callable[[Kit], Any]) -> Case:
        made = Case(build.__name__, build, scripts, **fields)
        assert CASES.setdefault(made.name, made) is made, f"two cases are called {made.name}"
        return made

    return register


def load_cases() -> dict[str, Case]:
    """All cases, by name."""
    package = importlib.import_module("tests.conformance.cases")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return CASES


def case_of(agent_or_model: str) -> Case:
    """The case that an agent or a model belongs to, by its name."""
    return CASES[agent_or_model.partition(".")[0]]
