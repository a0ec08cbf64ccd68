"""A flow as native canvas: chains, groups and chords of its agents' tasks, for use in anybody's own canvas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from celery import Celery, chain, chord, group, signature

from orchestrator.combinators.base import Node
from orchestrator.combinators.parallel import Parallel
from orchestrator.combinators.sequence import Gate, Sequence
from orchestrator.combinators.step import Step
from orchestrator.flow import Flow
from orchestrator.runnable import Runnable


class Signer(Protocol):
    """Makes a signature of the task of an agent or flow."""

    def __call__(self, target: Runnable, args: tuple[Any, ...], kwargs: dict[str, Any], *, immutable: bool) -> Any: ...


class CanvasMaker:
    """Compiles one flow.

    A sequence is a chain, a parallel a group, or with `then` a chord; agents and tasks are their own signatures. What
    takes a decision on the way (a gate, a route, a loop, a list, a function, a policy for failed members, a prompt
    with earlier results) is the flow's own task, which starts at that place. So is a parallel inside of another:
    in Celery 5.7, a chord that fails in another's header leaves the outer one pending for ever.
    """

    def __init__(self, app: Celery, flow: Flow, sign: Signer, find: Callable[[str], Runnable | None]) -> None:
        self._app = app
        self._flow = flow
        self._sign = sign
        self._find = find

    def make(self) -> Any:
        """The canvas of the whole flow: what comes before it in a chain, or its first argument, is its input."""
        return self._compile(self._flow.root, "", in_parallel=False)

    def _compile(self, node: Node, place: str, *, in_parallel: bool) -> Any:
        if not _is_native(node) or (in_parallel and _has_parallel(node)):
            return self._own_task(place)
        children = {key: f"{place}/{key}" if place else key for key in node.children()}
        match node:
            case Sequence(steps=steps):
                parts = zip(steps, children.values(), strict=True)
                return chain(*(self._compile(child, below, in_parallel=in_parallel) for child, below in parts))
            case Parallel(members=members, then=then):
                parts = zip(members, children.values(), strict=False)
                header = [self._compile(child, below, in_parallel=True) for child, below in parts]
                if then is None:
                    return group(header)
                return chord(header, self._compile(then, children["then"], in_parallel=True))
            case Step():
                return self._step(node, place)
        return self._own_task(place)

    def _step(self, step: Step, place: str) -> Any:
        if step.work_kind == "task":
            return signature(step.work, app=self._app) if isinstance(step.work, dict) else step.work.s()
        target = self._find(step.work) if isinstance(step.work, str) else step.work
        if target is None:  # loaded elsewhere: the flow's own task finds out where
            return self._own_task(place)
        options = {name: getattr(step, name) for name in ("prompt", "run_options")}
        given = {name: value for name, value in options.items() if value is not None}
        return self._sign(target, (), given, immutable=False)

    def _own_task(self, place: str) -> Any:
        return self._sign(self._flow, (), {"place": place} if place else {}, immutable=False)


def _is_native(node: Node) -> bool:
    """Whether chain, group and chord say all that there is to it."""
    match node:
        case Step():
            return node.work_kind != "function" and not node.borrowed_names
        case Sequence(steps=steps):
            return not any(isinstance(child, Gate) or child.borrowed_names for child in steps)
        case Parallel(on_failure="fail"):
            return not any(child.borrowed_names for child in node.children().values())
    return False


def _has_parallel(node: Node) -> bool:
    return isinstance(node, Parallel) or any(_has_parallel(child) for child in node.children().values())
