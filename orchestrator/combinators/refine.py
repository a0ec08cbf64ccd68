"""`refine`: a worker drafts and an evaluator judges, in rounds, until the verdict passes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from orchestrator.combinators.base import At, Done, Failed, Node, Pending, Progress
from orchestrator.combinators.checks import check_count, check_decisions, check_function, check_text
from orchestrator.combinators.prompts import fill_prompt, prompt_fields, write_names
from orchestrator.combinators.step import Decision, StepLike, to_node
from orchestrator.combinators.values import as_text, decide
from orchestrator.errors import BudgetExceeded, DeadlineExceeded, RunCancelled, UserError

WORKER, EVALUATOR = "draft", "verdict"
REVISE = "{task}\n\nYour last draft:\n{draft}\n\nWhat was said about it:\n{feedback}"
"""What the worker receives from the second round on."""
PROMPT_NAMES = frozenset({"task", "draft", "feedback"})
SHOWN = 200
"""How much of an error people see."""
ENDS_THE_LOOP = frozenset(error.__name__ for error in (BudgetExceeded, DeadlineExceeded, RunCancelled))
"""What a member ends with because nothing more is to be done, not because its own work failed."""
Scored = tuple[Any, int, Any]
"""Score, number and draft of a round."""


@dataclass(frozen=True, kw_only=True)
class Refine(Node):
    """A loop with an evaluator. Made by `refine()`."""

    kind: ClassVar[str] = "refine"
    worker: Node
    evaluator: Node
    passes: Decision
    max_rounds: int = 5
    score: Decision | None = None
    feedback: Decision | None = None
    when_exhausted: Literal["best", "fail"] = "best"
    revise: str = REVISE

    def children(self) -> Mapping[str, Node]:
        return {WORKER: self.worker, EVALUATOR: self.evaluator}

    def advance(self, at: At) -> Progress:
        over = self._count_rounds_over(at)
        said = {"task": at.value, "draft": "", "feedback": ""}
        if over:
            draft_before, verdict_before = self._round(over, at)
            said |= {"draft": draft_before, "feedback": self._feedback_of(verdict_before)}
        tried: list[Scored] = []
        for number in range(over + 1, self.max_rounds + 1):
            received = at.value if number == 1 else fill_prompt(self.revise, {**at.named, **said})
            draft = self.worker.advance(at.below(f"{WORKER}[{number}]", received, **said))
            if not isinstance(draft, Done):
                return self._without(draft, number, tried, at)
            said["draft"] = draft.value
            verdict = self.evaluator.advance(at.below(f"{EVALUATOR}[{number}]", draft.value, **said))
            if not isinstance(verdict, Done):
                return self._without(verdict, number, tried, at)
            if decide(self.passes, verdict.value, "passes="):
                at.choose(f"passed in round {number}")
                return draft
            said["feedback"] = self._feedback_of(verdict.value)
            tried.append(self._score(verdict.value, number, draft.value))
            at.choose(self._describe(tried[-1]))
        return self._exhausted(tried, at)

    def output_type(self) -> Any:
        return self.worker.output_type()

    def names_for(self, key: str) -> frozenset[str]:
        return PROMPT_NAMES

    def _count_rounds_over(self, at: At) -> int:
        """Rounds that did not pass, since the next one has begun: a loop of a hundred is not gone through each time.

        Only where both parts are steps, whose answers stand in the book as they are.
        """
        if self.worker.children() or self.evaluator.children():
            return 0
        verdict, draft = at.below(EVALUATOR).place, at.below(WORKER).place
        over = 0
        while over < self.max_rounds and f"{verdict}[{over + 1}]" in at.book and f"{draft}[{over + 2}]" in at.book:
            over += 1
        return over

    def _round(self, number: int, at: At) -> tuple[Any, Any]:
        """The draft of a round that is over, and the verdict on it."""
        draft, verdict = (at.book[at.below(f"{part}[{number}]").place] for part in (WORKER, EVALUATOR))
        assert isinstance(draft, Done)
        assert isinstance(verdict, Done)
        return draft.value, verdict.value

    def _feedback_of(self, verdict: Any) -> Any:
        return verdict if self.feedback is None else decide(self.feedback, verdict, "feedback=")

    def _describe(self, scored: Scored) -> str:
        score, number, _ = scored
        return f"round {number} has not passed" + ("" if self.score is None else f", score {as_text(score)[:SHOWN]}")

    def _score(self, verdict: Any, number: int, draft: Any) -> Scored:
        return (number if self.score is None else decide(self.score, verdict, "score="), number, draft)

    def _without(self, part: Pending | Failed, number: int, tried: list[Scored], at: At) -> Progress:
        """What a round without draft or verdict leads to: one that failed leaves the best of those before it."""
        judged = number - 1
        if isinstance(part, Pending) or part.error.get("type") in ENDS_THE_LOOP:
            return part
        if not judged or self.when_exhausted == "fail":
            return part
        reason = str(part.error.get("message"))[:SHOWN]
        return self._best(judged, tried, at, f"round {number} failed ({reason})")

    def _exhausted(self, tried: list[Scored], at: At) -> Done | Failed:
        if self.when_exhausted == "fail":
            return at.fail(f"`{self.label}` has had its {self.max_rounds} rounds, and no draft has passed.")
        return self._best(self.max_rounds, tried, at, "no round has passed")

    def _best(self, judged: int, tried: list[Scored], at: At, reason: str) -> Done:
        """The best draft of all rounds that were judged, of which `tried` has the last ones."""
        for number in range(1, judged - len(tried) + 1):
            draft, verdict = self._round(number, at)
            tried.append(self._score(verdict, number, draft))
        _, best, result = max(tried, key=lambda scored: scored[:2])
        at.choose(f"{reason}: the best of {judged} is round {best}")
        return Done(result)


def refine(
    worker: StepLike,
    evaluator: StepLike,
    *,
    passes: Decision,
    max_rounds: int = 5,
    score: Decision | None = None,
    feedback: Decision | None = None,
    when_exhausted: Literal["best", "fail"] = "best",
    revise: str = REVISE,
    name: str = "",
) -> Refine:
    """The worker drafts, the evaluator gets the draft, until `passes(verdict)` is true: that draft is the result.

    From the second round on the worker receives `revise` with `{task}` (what the refine received), `{draft}` and
    `{feedback}` (the verdict, or `feedback(verdict)`); prompts may use these, too. After `max_rounds` the result is
    the best draft: the one with the highest `score(verdict)`, the later of equals, the last one without `score`. So it
    is when a later round fails, but not for a cancel or for want of budget or time. With `when_exhausted="fail"` the
    refine fails then. Raises `UserError`.
    """
    check_count("max_rounds", max_rounds)
    if when_exhausted not in ("best", "fail"):
        raise UserError(f'when_exhausted is "best" or "fail", not {when_exhausted!r}.')
    check_function(passes, "passes=")
    check_decisions(score=score, feedback=feedback)
    check_text("revise=", revise)
    if unknown := prompt_fields(revise) - PROMPT_NAMES:
        raise UserError(f"revise= may use {{task}}, {{draft}} and {{feedback}}, not {write_names(unknown)}.")
    return Refine(
        worker=to_node(worker),
        evaluator=to_node(evaluator),
        passes=passes,
        max_rounds=max_rounds,
        score=score,
        feedback=feedback,
        when_exhausted=when_exhausted,
        revise=revise,
        name=name,
    )
