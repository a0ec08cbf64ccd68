"""`Flow`: a combinator with a name. Code decides what follows; every flow is a Celery task of its own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from orchestrator.agent_tool import AgentTool, as_tool
from orchestrator.combinators.base import FLOW_INPUT, At, Done, Ended, Failed, Member, Node, Pending
from orchestrator.combinators.prompts import prompt_fields, write_names
from orchestrator.combinators.step import Step, StepLike, to_node
from orchestrator.combinators.values import call_with
from orchestrator.errors import UserError, describe_error, restore_error
from orchestrator.loop import background
from orchestrator.runnable import Runnable, Runtime

ALWAYS_KNOWN = frozenset({"input", FLOW_INPUT})
Answer = Callable[[str, Any], Any]
"""What stands for agents, tasks and names in `Flow.evaluate`: from a step's name and its input to its result."""


@dataclass(eq=False, kw_only=True)
class Flow(Runnable):
    """A flow: steps put together by combinators. It is installed, submitted and used as a tool as an agent is.

    A run of a flow parks while its members work, each in a run of its own below it. Its task is `flows.<name>`.
    Raises `UserError` for a prompt that uses an unknown name.
    """

    name: str = field(kw_only=False)
    """Unique among the flows and agents of an app."""
    steps: StepLike = field(kw_only=False)
    """A combinator, or what `step()` takes."""
    description: str = ""
    """What the flow is for; agents that have it as a tool are told."""
    queue: str | None = None
    """The Celery queue of the flow's own task; members have those of their agents."""
    priority: int | None = None
    context_type: type[Any] | None = None
    """The type of the run's context; found at the agents if not given."""

    _runtime: Runtime | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip() or not self.name.isprintable():
            raise UserError(f"A flow's name must be a non-empty, printable string, not {self.name!r}.")
        self.steps = to_node(self.steps)
        _check_prompts(self.root, ALWAYS_KNOWN, self.name)

    @property
    def root(self) -> Node:
        """The flow's combinator."""
        assert isinstance(self.steps, Node)
        return self.steps

    @property
    def task_name(self) -> str:
        """The name of this flow's Celery task."""
        return f"flows.{self.name}"

    @property
    def output_type(self) -> Any:
        """The type of the flow's result where it is known beforehand; `None`: text or any JSON value."""
        return self.root.output_type()

    def canvas(self) -> Any:
        """The flow as native Celery canvas: a chain, group or chord of its agents' tasks, to put into your own.

        Unlike `s()`, it has no run of its own: Celery moves it on, and each member is a run by itself.
        """
        return self._installed().canvas(self)

    def as_tool(self, tool_name: str | None = None, tool_description: str | None = None, **options: Any) -> AgentTool:
        """This flow as a tool of agents; `options` are those of `Agent.as_tool`. The caller parks meanwhile."""
        return as_tool(self, tool_name, tool_description or self.description, **options)

    def declared_context_type(self) -> type[Any] | None:
        """The context's type as declared here, or `None`."""
        return self.context_type

    def neighbours(self) -> list[Runnable]:
        """The agents and flows that are its steps, as objects."""
        works = (node.work for node in walk(self.root) if isinstance(node, Step))
        return list(dict.fromkeys(work for work in works if isinstance(work, Runnable)))

    def evaluate(self, input: Any, answer: Answer) -> Any:
        """The flow's result by plain Python, without models, ledger or broker: for tests of the flow itself.

        Functions are called; `answer(step name, input)` stands for everything else. Raises what ended the flow.
        """
        ended = _evaluate(self.root, At("", input, input), answer)
        if isinstance(ended, Failed):
            raise restore_error(dict(ended.error))
        return ended.value


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it."""
    yield node
    for child in node.children().values():
        yield from walk(child)


def _evaluate(node: Node, at: At, answer: Answer) -> Ended:
    book: dict[str, Ended] = {}
    while isinstance(progress := node.advance(replace(at, book=book)), Pending):
        for member in progress.members:
            book[member.at.place] = _answer_member(member, answer)
    return progress


def _answer_member(member: Member, answer: Answer) -> Ended:
    node, at = member.node, member.at
    if not isinstance(node, Step):
        return _evaluate(node, at, answer)
    try:
        given = node.input(at)
        if node.work_kind != "function":
            return Done(answer(node.label, given))
        made = call_with(node.work, given, f"Function `{node.label}`")
        return Done(background.run(made) if inspect.iscoroutine(made) else made)
    except Exception as error:
        return Failed(describe_error(error), at.place)


def _check_prompts(node: Node, known: frozenset[str], flow: str) -> None:
    """Refuse a prompt with a name that cannot be known at its place, so that no typo reaches a model."""
    if isinstance(node, Step) and node.prompt is not None and (unknown := prompt_fields(node.prompt) - known):
        raise UserError(
            f"The prompt of step `{node.label}` in flow `{flow}` uses {write_names(unknown)}. "
            f"There it may use {write_names(known)}. A literal {{name}} is written {{{{name}}}}."
        )
    for key, child in node.children().items():
        _check_prompts(child, known | node.names_for(key), flow)
