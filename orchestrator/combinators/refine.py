"""`refine`: a worker drafts and an evaluator judges, in rounds, until the verdict passes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from orchestrator.combinators.base import At, Done, Failed, Node, Progress
from orchestrator.combinators.step import Decision, StepLike, to_node
from orchestrator.combinators.values import call_with, fill_prompt, prompt_fields
from orchestrator.errors import UserError

WORKER, EVALUATOR = "draft", "verdict"
REVISE = "{task}\n\nYour last draft:\n{draft}\n\nWhat was said about it:\n{feedback}"
"""What the worker receives from the second round on."""
PROMPT_NAMES = frozenset({"task", "draft", "feedback"})


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
        best: tuple[Any, Any] | None = None
        said = {"task": at.value, "draft": "", "feedback": ""}
        for number in range(1, self.max_rounds + 1):
            received = at.value if number == 1 else fill_prompt(self.revise, {**at.named, **said})
            draft = self.worker.advance(at.below(f"{WORKER}[{number}]", received, **said))
            if not isinstance(draft, Done):
                return draft
            said["draft"] = draft.value
            verdict = self.evaluator.advance(at.below(f"{EVALUATOR}[{number}]", draft.value, **said))
            if not isinstance(verdict, Done):
                return verdict
            if call_with(self.passes, verdict.value, "passes="):
                return draft
            score = number if self.score is None else call_with(self.score, verdict.value, "score=")
            if best is None or score >= best[0]:
                best = (score, draft.value)
            said["feedback"] = self._feedback_of(verdict.value)
        return self._exhausted(best, at)

    def output_type(self) -> Any:
        return self.worker.output_type()

    def names_for(self, key: str) -> frozenset[str]:
        return PROMPT_NAMES

    def _feedback_of(self, verdict: Any) -> Any:
        return verdict if self.feedback is None else call_with(self.feedback, verdict, "feedback=")

    def _exhausted(self, best: tuple[Any, Any] | None, at: At) -> Done | Failed:
        if best is not None and self.when_exhausted == "best":
            return Done(best[1])
        return at.fail(f"`{self.label}` has had its {self.max_rounds} rounds, and no draft has passed.")


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
    the best draft: the one with the highest `score(verdict)`, the later of equals, the last one without `score`. With
    `when_exhausted="fail"` the refine fails then. Raises `UserError`.
    """
    if max_rounds < 1:
        raise UserError(f"max_rounds is a number from 1 up, not {max_rounds}.")
    if when_exhausted not in ("best", "fail"):
        raise UserError(f'when_exhausted is "best" or "fail", not {when_exhausted!r}.')
    if unknown := prompt_fields(revise) - PROMPT_NAMES:
        raise UserError(f"revise= may use {{task}}, {{draft}} and {{feedback}}, not {', '.join(sorted(unknown))}.")
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
