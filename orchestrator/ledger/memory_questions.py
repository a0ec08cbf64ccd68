"""What runs ask of people, in the ledger in memory: asked by `park`, decided by `decide` or by `claim` in the end."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.entries import Decided
from orchestrator.ledger import entry_rules, refusals
from orchestrator.ledger.memory_run import AskedQuestion, MemoryRun
from orchestrator.ledger.memory_runs import MemoryRuns
from orchestrator.question import Question


def ask(run: MemoryRun, questions: Sequence[Question]) -> bool:
    """Open the questions; True if one of them was decided meanwhile."""
    is_decided = False
    for question in questions:
        known = run.questions.get(question.call_id)
        if known is None or known.question.round != question.round:
            run.questions[question.call_id] = AskedQuestion(question)
        elif known.verdict:
            is_decided = True
    return is_decided


def was_decided_by(run: MemoryRun, decided: Decided, decision_id: str) -> bool:
    """Whether this very decision was taken before."""
    asked = run.questions.get(decided.call_id)
    return asked is not None and asked.decision_id == decision_id


def decide(runs: MemoryRuns, run: MemoryRun, decided: Decided, decision_id: str, now: float) -> None:
    """Record the decision. Raises a `DecisionError`."""
    asked = run.questions.get(decided.call_id)
    if run.outcome or run.cancel:
        raise refusals.over(run.run_id)
    if asked is None:
        raise refusals.not_asked(run.run_id, decided.call_id)
    if asked.verdict or _has_expired(asked, now):
        raise refusals.decided(run.run_id, decided.call_id, asked.verdict or entry_rules.EXPIRED)
    if asked.question.kind not in entry_rules.kinds_decided_by(decided):
        raise refusals.misfit(run.run_id, decided.call_id, asked.question.kind)
    for other in run.questions.values():
        is_alike = (other.question.kind, other.question.tool) == ("approval", asked.question.tool)
        if (other is asked or (decided.always and is_alike)) and not other.verdict:
            other.verdict, other.decision_id = entry_rules.describe_verdict(decided), decision_id
    runs.add_entry(run, decided)


def expire(runs: MemoryRuns, run: MemoryRun, now: float) -> None:
    """Reject what nobody has decided in time."""
    late = [asked for asked in run.questions.values() if not asked.verdict and _has_expired(asked, now)]
    for asked in [] if run.outcome else late:
        asked.verdict = entry_rules.EXPIRED
        runs.add_entry(run, Decided(call_id=asked.question.call_id, expired=True))


def _has_expired(asked: AskedQuestion, now: float) -> bool:
    return asked.question.expires_at is not None and asked.question.expires_at <= now
