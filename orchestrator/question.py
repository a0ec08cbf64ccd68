"""`Question`: what a run asks of people about one of its calls."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

QuestionKind = Literal["approval", "interrupted", "answer"]


class Question(BaseModel):
    """What a run asks of people about one of its calls.

    `approval`: may it run? `interrupted`: it had started when its worker was lost; may it run again? `answer`: the
    call itself is a question, and waits for a value.
    """

    model_config = ConfigDict(frozen=True)

    call_id: str
    tool: str
    kind: QuestionKind = "approval"
    round: int = 1
    """Counts the questions about one call: a call can be interrupted more than once."""
    asked_at: float = 0.0
    expires_at: float | None = None
    """Unix time at which the question counts as rejected."""


_PURPOSES: dict[QuestionKind, str] = {
    "approval": "approval of",
    "interrupted": "a word on the interrupted",
    "answer": "an answer to",
}


def describe_question(question: Question) -> str:
    """What is waited for, in a few words."""
    return f"{_PURPOSES[question.kind]} {question.tool}"
