"""`step`: what does the work in a flow: an agent, another flow, or a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from orchestrator.agent import Agent
from orchestrator.combinators.base import At, Member, Node, Pending, Progress
from orchestrator.combinators.values import fill_prompt, name_of, return_type
from orchestrator.entries import RunOptions
from orchestrator.errors import UserError
from orchestrator.output_schema import AgentOutputSchema
from orchestrator.runnable import Runnable

GATE = "gate"
WorkKind = Literal["run", "task", "function"]


@dataclass(frozen=True, kw_only=True)
class Step(Node):
    """One piece of work. Made by `step()`, or by a combinator from what it is given."""

    kind: ClassVar[str] = "step"
    work: Any
    """An agent or a flow, or its registered name; a Celery task or signature; a function."""
    prompt: str | None = None
    max_turns: int | None = None
    run_options: RunOptions | None = None

    @property
    def work_kind(self) -> WorkKind:
        """`run`: an agent's or another flow's run. `task`: one of the user's Celery tasks. `function`: code."""
        if isinstance(self.work, str | Runnable):
            return "run"
        return "task" if _is_celery(self.work) else "function"

    def children(self) -> Mapping[str, Node]:
        return {}

    def advance(self, at: At) -> Progress:
        return at.book.get(at.place) or Pending((Member(self, at),))

    def input(self, at: At) -> Any:
        """What the work is given: what the step receives, in its prompt. Raises `FlowError`."""
        if self.prompt is None:
            return at.value
        return fill_prompt(self.prompt, {**at.named, "input": at.value, "flow_input": at.flow_input})

    def output_type(self) -> Any:
        if self.work_kind == "function":
            found = return_type(self.work)
            return None if found is Any else found
        declared = getattr(self.work, "output_type", None)
        return declared.output_type if isinstance(declared, AgentOutputSchema) else declared


def step(
    work: Any,
    *,
    prompt: str | None = None,
    name: str | None = None,
    max_turns: int | None = None,
    run_options: RunOptions | Mapping[str, Any] | None = None,
) -> Step:
    """A step with more to say than the work alone.

    `work`: an agent, a flow, a registered name of either, a Celery task or signature, or a function of one value
    (which may be async). `prompt`: what an agent is told; `{input}` is what the step receives, `{flow_input}` what
    the flow was given, `{name}` the result of an earlier step of that name; `{input.title}` is one field. `max_turns`
    and `run_options` are those of `submit`. Raises `UserError`.
    """
    if isinstance(work, Node):
        raise UserError(f"step() wraps agents, flows, tasks and functions; `{work.label}` is a combinator already.")
    if not (isinstance(work, str | Runnable) or _is_celery(work) or callable(work)):
        raise UserError(
            f"A flow's step is an agent, a flow, a Celery task, a function or a combinator, not {repr(work)[:80]}."
        )
    if _ends_in_group(work):
        raise UserError("A Celery group has no result of its own to wait for: write parallel(…), or make it a chord.")
    options = run_options if isinstance(run_options, RunOptions | None) else RunOptions.model_validate(run_options)
    return Step(work=work, prompt=prompt, name=name or _name_of(work), max_turns=max_turns, run_options=options)


def check_decisions(**decisions: Any) -> None:
    """Raise `UserError` for one that is given, and cannot be asked about a value."""
    for name, decision in decisions.items():
        if decision is not None and not callable(decision):
            raise UserError(f"{name}= takes a function of one value, not {repr(decision)[:80]}.")


def to_node(given: Any) -> Node:
    """A combinator as it is; anything else as a step. Raises `UserError` for a gate, which only sequences have."""
    if not isinstance(given, Node):
        return step(given)
    if given.kind == GATE:
        raise UserError(f"Gate `{given.label}` stands where a step belongs. Only a sequence has gates.")
    return given


def _name_of(work: Any) -> str:
    match work:
        case str():
            return work
        case Agent():
            return work.name
        case {"task": str(task)}:  # a signature
            return task
    if isinstance(name := getattr(work, "name", None), str):
        return name
    return name_of(work)


def _is_celery(work: Any) -> bool:
    """Whether it is a task or a signature. Celery itself is imported in `orchestrator/celery` alone."""
    return hasattr(work, "apply_async") and not isinstance(work, Runnable)


def _ends_in_group(work: Any) -> bool:
    match work:
        case {"task": "celery.group"}:
            return True
        case {"task": "celery.chain", "kwargs": {"tasks": [*_, last]}}:
            return _ends_in_group(last)
    return False


StepLike = Any
"""What `to_node` takes."""
Decision = Callable[[Any], Any]
"""A function of one value. It must give the same answer every time: it is asked again whenever the flow moves on."""
