"""Whether a call may run: what people have decided about it, and what they still have to be asked. Pure."""

from __future__ import annotations

import json
from collections.abc import Set
from typing import Any, Literal

from orchestrator.agent_tool import AgentTool
from orchestrator.entries import Decided, Output
from orchestrator.models.base import Item
from orchestrator.question import Question, QuestionKind
from orchestrator.state import RunState, Turn
from orchestrator.tool import FunctionTool

UNKNOWN_OUTCOME = (
    "The outcome of this call is unknown: its worker was lost. It may have taken effect. Do not repeat it."
)
NOT_APPROVED = "Tool execution was not approved."
_REJECTED: dict[QuestionKind, str] = {
    "approval": NOT_APPROVED,
    "interrupted": UNKNOWN_OUTCOME,
    "answer": "The question was not answered.",
}
_EXPIRED: dict[QuestionKind, str] = {
    "approval": f"{NOT_APPROVED} Nobody decided in time.",
    "interrupted": UNKNOWN_OUTCOME,
    "answer": "Nobody answered in time.",
}

Gate = Literal["run"] | Output | Question
"""The call may run, has its output already, or a question about it is open."""


def pass_gate(call: Item, tool: FunctionTool | AgentTool, state: RunState, guarded: Set[str]) -> Gate:
    """What is to be done with an open call. `guarded` are the call ids that need a person's word if nobody gave it.

    A call that has started needs no approval any more.
    """
    turn, call_id = state.turn, call["call_id"]
    assert turn is not None
    if call_id in turn.interrupted:
        return _gate_interrupted(call, tool, turn)
    if call_id in turn.started:
        return "run"
    question = turn.questions.get(call_id)
    decided = turn.decisions.get(call_id) or state.always.get(call["name"])
    if question is None and call_id not in guarded:
        return "run"
    kind: QuestionKind = "answer" if isinstance(tool, FunctionTool) and tool.answer_schema else "approval"
    if decided is not None:
        return follow_decision(call, kind, decided)
    return question or Question(call_id=call_id, tool=call["name"], kind=kind)


def _gate_interrupted(call: Item, tool: FunctionTool | AgentTool, turn: Turn) -> Gate:
    on_interrupt = tool.on_interrupt if isinstance(tool, FunctionTool) else "rerun"
    if on_interrupt == "rerun":
        return "run"
    if on_interrupt == "report":
        return Output(call_id=call["call_id"], tool=call["name"], output=UNKNOWN_OUTCOME, failed=True)
    question, decided = turn.questions.get(call["call_id"]), turn.decisions.get(call["call_id"])
    if question is None or question.kind != "interrupted":
        return ask_about_interruption(call["call_id"], call["name"], asked=turn.rounds.get(call["call_id"], 0))
    return question if decided is None else follow_decision(call, "interrupted", decided)


def ask_about_interruption(call_id: str, tool: str, *, asked: int) -> Question:
    """What people, who were asked about it that often before, are asked about a call that may have taken effect."""
    return Question(call_id=call_id, tool=tool, kind="interrupted", round=asked + 1)


def follow_decision(call: Item, kind: QuestionKind, decided: Decided) -> Gate:
    """What a decision makes of a call."""
    if decided.verdict == "approved":
        return "run"
    call_id, tool = call["call_id"], call["name"]
    if decided.verdict == "answered":
        return Output(call_id=call_id, tool=tool, output=_as_text(decided.value), value=decided.value)
    text = decided.message or (_EXPIRED if decided.expired else _REJECTED)[kind]
    return Output(call_id=call_id, tool=tool, output=text, failed=True)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
