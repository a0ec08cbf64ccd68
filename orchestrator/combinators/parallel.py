"""`parallel`: steps side by side on the same input, then, maybe, one that gets all their results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from orchestrator.combinators.base import At, Done, Failed, Node, Pending, Progress, advance_branch, key_of
from orchestrator.combinators.checks import check_count
from orchestrator.combinators.step import StepLike, to_node
from orchestrator.errors import UserError

THEN = "then"


@dataclass(frozen=True)
class AtLeast:
    """So many members must have a result. Made by `at_least()`."""

    count: int


FailurePolicy = Literal["fail", "keep"] | AtLeast


def at_least(count: int) -> AtLeast:
    """`on_failure`: go on with the results that there are, if they are this many."""
    check_count("What at_least() takes", count)
    return AtLeast(count)


@dataclass(frozen=True, kw_only=True)
class Parallel(Node):
    """Members side by side. Made by `parallel()`."""

    kind: ClassVar[str] = "parallel"
    members: tuple[Node, ...]
    then: Node | None = None
    on_failure: FailurePolicy = "fail"

    def children(self) -> Mapping[str, Node]:
        members = {key_of(number, node): node for number, node in enumerate(self.members, start=1)}
        return {**members, THEN: self.then} if self.then else members

    def advance(self, at: At) -> Progress:
        keys = [key_of(number, node) for number, node in enumerate(self.members, start=1)]
        branches = [advance_branch(node, at.below(key, at.value)) for key, node in zip(keys, self.members, strict=True)]
        return join(branches, self.on_failure, self.then, at)

    def output_type(self) -> Any:
        return self.then.output_type() if self.then else None


def join(branches: Sequence[Progress], policy: FailurePolicy, then: Node | None, at: At) -> Progress:
    """What branches come to together: what `settle` says, and the results go to `then`."""
    settled = settle(branches, policy, at)
    if not isinstance(settled, Done) or then is None:
        return settled
    return then.advance(at.below(THEN, settled.value))


def settle(branches: Sequence[Progress], policy: FailurePolicy, at: At) -> Progress:
    """The results in order, once all have ended; a failure once more members have failed than the policy allows."""
    results = [branch.value for branch in branches if isinstance(branch, Done)]
    failed = [branch for branch in branches if isinstance(branch, Failed)]
    pending = [member for branch in branches if isinstance(branch, Pending) for member in branch.members]
    needed = _count_needed(policy, len(branches))
    may_fail = len(branches) - len(failed) - needed
    if may_fail >= 0 and pending:
        return Pending(tuple(pending), max_failures=may_fail)
    if may_fail >= 0:
        if failed:
            at.choose(f"went on with {len(results)} of {len(branches)} results")
        return Done(results)
    if policy == "fail":
        return failed[0]
    reason = f" The first failure: {failed[0].error.get('message')}" if failed else ""
    return at.fail(f"{len(failed)} of {len(branches)} members have failed, and {needed} must have a result.{reason}")


def _count_needed(policy: FailurePolicy, members: int) -> int:
    if isinstance(policy, AtLeast):
        return policy.count
    return {"fail": members, "keep": min(1, members)}[policy]


def check_policy(policy: Any, members: int) -> None:
    """Raise `UserError` for what is no policy, or one that can never be met."""
    if policy not in ("fail", "keep") and not isinstance(policy, AtLeast):
        raise UserError(f'on_failure is "fail", "keep" or at_least(n), not {policy!r}.')
    if isinstance(policy, AtLeast) and policy.count > members:
        raise UserError(f"at_least({policy.count}) of {members} members can never be met.")


def parallel(
    *members: StepLike, then: StepLike | None = None, on_failure: FailurePolicy = "fail", name: str = ""
) -> Parallel:
    """Members side by side, each with what the parallel receives. The result is the list of theirs, in order.

    `then` gets that list, and its result is the parallel's. `on_failure`: `"fail"`, the parallel fails with the first
    failed member's error; `"keep"`, the results that came go on, if there is one; `at_least(n)`, if there are n. As
    soon as that cannot be any more, the members that still work are cancelled. Raises `UserError`.
    """
    if not members:
        raise UserError("A parallel needs a member.")
    check_policy(on_failure, len(members))
    nodes = tuple(to_node(given) for given in members)
    return Parallel(members=nodes, then=None if then is None else to_node(then), on_failure=on_failure, name=name)
