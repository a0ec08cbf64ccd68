"""`Turn`: a model reply and what is known of its calls."""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestrator.entries import ChildEnded, Decided, Output, Reply
from orchestrator.models.base import Item
from orchestrator.question import Question


@dataclass
class Turn:
    """A model reply whose calls are not all settled, or whose consequence is not yet drawn."""

    reply: Reply
    outputs: dict[str, Output] = field(default_factory=dict)
    started: set[str] = field(default_factory=set)
    interrupted: set[str] = field(default_factory=set)
    """Calls that an earlier invocation started, and of whose end nothing is known."""
    children: dict[str, str] = field(default_factory=dict)
    """The runs that serve calls of this reply, by call id."""
    ended_children: dict[str, ChildEnded] = field(default_factory=dict)
    questions: dict[str, Question] = field(default_factory=dict)
    """What people were asked last about each call."""
    rounds: dict[str, int] = field(default_factory=dict)
    """How often people were asked about each call."""
    decisions: dict[str, Decided] = field(default_factory=dict)
    """How those questions were decided."""
    replayed: frozenset[str] = frozenset()
    """Call ids of this reply that were settled in an earlier turn: not run again, not shown again."""

    def has_accepted(self, call_id: str) -> bool:
        """Whether the call's tool was enabled when the reply's calls began: tools may disable others, or themselves."""
        if call_id in self.outputs:
            return call_id in self.started or call_id in self.ended_children
        return bool(self.started or self.outputs or self.ended_children or self.questions)

    def ask(self, question: Question) -> None:
        """Take in a question. One that is asked again keeps its decision, which came meanwhile."""
        known = self.questions.get(question.call_id)
        self.questions[question.call_id] = question
        if known is not None and known.round != question.round:
            self.decisions.pop(question.call_id, None)
        self.rounds[question.call_id] = question.round

    def start(self, call_id: str) -> None:
        """Take in that a call begins. What a person said of an interrupted call holds for one start."""
        self.started.add(call_id)
        self.interrupted.discard(call_id)
        if call_id in self.questions and self.questions[call_id].kind == "interrupted":
            del self.questions[call_id]
            self.decisions.pop(call_id, None)

    def function_calls(self) -> list[Item]:
        """The reply's new function calls in order, each call id once."""
        calls = {item["call_id"]: item for item in self.reply.items if item.get("type") == "function_call"}
        return [call for call_id, call in calls.items() if call_id not in self.replayed]

    def visible_items(self) -> list[Item]:
        """The reply's items as the model will see them again: replays and identical siblings are left out."""
        seen: set[str] = set(self.replayed)
        shown = []
        for item in self.reply.items:
            if item.get("type") == "function_call":
                if item["call_id"] in seen:
                    continue
                seen.add(item["call_id"])
            shown.append(item)
        return shown

    def output_items(self) -> list[Item]:
        """The settled calls' outputs, in the order of the reply."""
        settled = [self.outputs[call["call_id"]] for call in self.function_calls() if call["call_id"] in self.outputs]
        return [function_call_output(output.call_id, output.output) for output in settled]


def function_call_output(call_id: str, output: str | list[Item]) -> Item:
    """A call's output as a conversation item."""
    return {"type": "function_call_output", "call_id": call_id, "output": output}
