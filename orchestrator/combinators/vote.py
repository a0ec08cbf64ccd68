"""`vote`: several attempts side by side, and a judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from orchestrator.combinators.base import At, Done, Node, Progress, advance_branch
from orchestrator.combinators.checks import check_count, check_decisions
from orchestrator.combinators.parallel import FailurePolicy, check_policy, settle
from orchestrator.combinators.step import Decision, StepLike, to_node
from orchestrator.combinators.values import decide

ATTEMPT, JUDGE = "attempt", "judge"


@dataclass(frozen=True, kw_only=True)
class Vote(Node):
    """Attempts and a judge. Made by `vote()`."""

    kind: ClassVar[str] = "vote"
    voter: Node
    count: int
    judge: Node
    pick: Decision | None = None
    on_failure: FailurePolicy = "keep"

    def children(self) -> Mapping[str, Node]:
        return {ATTEMPT: self.voter, JUDGE: self.judge}

    def advance(self, at: At) -> Progress:
        branches = [advance_branch(self.voter, at.below(f"{ATTEMPT}[{number + 1}]")) for number in range(self.count)]
        attempts = settle(branches, self.on_failure, at)
        if not isinstance(attempts, Done):
            return attempts
        verdict = self.judge.advance(at.below(JUDGE, attempts.value, task=at.value))
        if not isinstance(verdict, Done) or self.pick is None:
            return verdict
        picked = decide(self.pick, verdict.value, "pick=")
        number = _to_number(picked)
        if not 1 <= number <= len(attempts.value):
            return at.fail(f"`{self.label}` has {len(attempts.value)} attempts; its judge picked number {picked!r}.")
        judged = [attempt for attempt, branch in enumerate(branches, start=1) if isinstance(branch, Done)]
        at.choose(f"picked attempt {judged[number - 1]}")
        return Done(attempts.value[number - 1])

    def output_type(self) -> Any:
        return (self.judge if self.pick is None else self.voter).output_type()

    def names_for(self, key: str) -> frozenset[str]:
        return frozenset({"task"}) if key == JUDGE else frozenset()


def _to_number(picked: Any) -> int:
    try:
        return int(picked)
    except (TypeError, ValueError):
        return 0  # which is no attempt's


def vote(
    agent: StepLike,
    count: int,
    *,
    judge: StepLike,
    pick: Decision | None = None,
    on_failure: FailurePolicy = "keep",
    name: str = "",
) -> Vote:
    """`count` attempts side by side at what the vote receives; the judge gets their list (`{task}`: what they got).

    The judge's result is the vote's; with `pick`, a function of it that names an attempt from 1 up, that attempt is.
    `on_failure` as for `parallel`: by default the attempts that came are judged. Raises `UserError`.
    """
    check_count("The count of a vote's attempts", count)
    check_policy(on_failure, count)
    check_decisions(pick=pick)
    return Vote(voter=to_node(agent), count=count, judge=to_node(judge), pick=pick, on_failure=on_failure, name=name)
