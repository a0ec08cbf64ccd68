"""`step`: what does the work in a flow: an agent, another flow, or a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

from orchestrator.agent import Agent
from orchestrator.combinators.base import FLOW_INPUT, At, Member, Node, Pending, Progress
from orchestrator.combinators.checks import check_function, check_text, check_type
from orchestrator.combinators.prompts import fill_prompt, prompt_fields, write_names
from orchestrator.combinators.values import name_of, return_type
from orchestrator.entries import RunOptions
from orchestrator.errors import FlowError, InvalidInput, UserError
from orchestrator.output_schema import AgentOutputSchema
from orchestrator.run_options import OptionKeywords, make_options
from orchestrator.runnable import Runnable

GATE = "gate"
WorkKind = Literal["run", "task", "function"]
OF_THE_WHOLE_FLOW = frozenset({"budget", "deadline_at", "expires_at", "tags", "metadata"})
"""Options that count for a submitted run and all below it together."""


@dataclass(frozen=True, kw_only=True)
class Step(Node):
    """One piece of work. Made by `step()`, or by a combinator from what it is given."""

    kind: ClassVar[str] = "step"
    work: Any
    """An agent or a flow, or its registered name; a Celery task or signature; a function."""
    prompt: str | None = None
    run_options: RunOptions | None = None
    """What is set here goes before what the flow was submitted with."""

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
        known = {**at.named, "input": at.value}
        if at.flow_input is not None:
            known[FLOW_INPUT] = at.flow_input
        if missing := prompt_fields(self.prompt) - known.keys():
            raise FlowError(
                f"The prompt of step `{self.label}` uses {write_names(missing)}, and the run of this part of the flow "
                "began with an earlier version, which did not. Retry the flow's run, or submit it again."
            )
        return fill_prompt(self.prompt, known)

    @cached_property
    def borrowed_names(self) -> frozenset[str]:
        return frozenset(prompt_fields(self.prompt or "") - {"input"})

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
    and `run_options` are those of `submit`, but for what counts for a whole flow, as a budget does. Raises `UserError`.
    """
    if isinstance(work, Node):
        raise UserError(f"step() wraps agents, flows, tasks and functions; `{work.label}` is a combinator already.")
    _check_work(work)
    label = name or _name_of(work)
    if prompt is not None:
        check_text(f"The prompt of step `{label}`", prompt)
    made = Step(work=work, prompt=prompt, name=label, run_options=_options(label, run_options, max_turns))
    if made.run_options is not None and made.work_kind != "run":
        raise UserError(f"max_turns and run_options are for agents and flows; step `{label}` is a {made.work_kind}.")
    return made


def _check_work(work: Any) -> None:
    if isinstance(work, Runnable) or (isinstance(work, str) and work.strip()):
        return
    if _is_celery(work):
        return _refuse_groups(work)
    if not callable(work):
        raise UserError(
            f"A flow's step is an agent, a flow, a Celery task, a function or a combinator, not {repr(work)[:80]}."
        )
    check_function(work, "A step")
    check_type(return_type(work), "A step's function returns a value", work)


def _refuse_groups(work: Any) -> None:
    if _ends_in_group(work):
        raise UserError("A Celery group has no result of its own to wait for: write parallel(…), or make it a chord.")


def _options(label: str, given: RunOptions | Mapping[str, Any] | None, max_turns: int | None) -> RunOptions | None:
    if given is None and max_turns is None:
        return None
    keywords: OptionKeywords = {"run_options": given}
    if max_turns is not None:
        keywords["max_turns"] = max_turns
    try:
        options = make_options(**keywords)
    except InvalidInput as error:
        raise UserError(f"Step `{label}`: {error.message}") from error
    if set_here := options.model_fields_set & OF_THE_WHOLE_FLOW:
        raise UserError(
            f"Step `{label}` sets {', '.join(sorted(set_here))}, which count for a whole flow: give them to submit()."
        )
    return options


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
