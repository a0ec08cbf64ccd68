"""A run's state: the fold of its ledger's entries. Nothing else remembers anything about a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, assert_never

from orchestrator.budget import Quantity
from orchestrator.entries import (
    BudgetNotice,
    Checked,
    ChildEnded,
    ContextPatch,
    Decided,
    Entry,
    HandedOff,
    Invoked,
    Outcome,
    Output,
    Parked,
    Reply,
    RunInput,
    RunOptions,
    SessionHistory,
    Started,
)
from orchestrator.models.base import Item
from orchestrator.turn_state import Turn as Turn
from orchestrator.turn_state import function_call_output as function_call_output
from orchestrator.usage import Usage


@dataclass
class RunState:
    """What a run has come to. `apply` every entry of its ledger in order."""

    agent: str = ""
    given: list[Item] = field(default_factory=list)
    """The input alone, without a session's history."""
    history: list[Item] = field(default_factory=list)
    """The items that the run was given."""
    generated: list[Item] = field(default_factory=list)
    """The items of finished turns."""
    turn: Turn | None = None
    context: Any = None
    given_context: Any = None
    """The context that the run was given."""
    options: RunOptions = field(default_factory=RunOptions)
    invocations: int = 0
    """Times that a worker has claimed the run."""
    turns: int = 0
    """Model calls so far."""
    failed_calls: int = 0
    """Model calls that failed since the last reply."""
    active_turns: int = 0
    """Model calls since the active agent became active."""
    usage: Usage = field(default_factory=Usage)
    always: dict[str, Decided] = field(default_factory=dict)
    """What people decided for all calls of a tool, by its name."""
    verdicts: set[tuple[str, str]] = field(default_factory=set)
    """Stage and name of the guardrails that have judged."""
    handoffs: int = 0
    settled_calls: dict[str, str] = field(default_factory=dict)
    """Call id to payload, of every call of finished turns."""
    tool_users: set[str] = field(default_factory=set)
    """Agents that have used a tool or handed over."""
    warned_limits: set[Quantity] = field(default_factory=set)
    """Limits of the budget that this run has called nearly spent."""
    spent_limit: Quantity | None = None
    """The limit of the budget that is spent: one more model call, without tools, and no tool."""
    has_last_reply: bool = False
    """Whether that call was made."""
    session: str | None = None
    origin: str | None = None
    """The run that idempotency keys name, if it is not this one: a retry keeps them."""
    outcome: Outcome | None = None

    def apply(self, entry: Entry) -> None:
        """Take one entry in."""
        match entry:
            case RunInput():
                self._apply_input(entry)
            case SessionHistory():
                self.history = [*entry.items, *self.history]
                self.agent = entry.agent or self.agent
            case Reply():
                self._apply_reply(entry)
            case Started():
                if self.turn:
                    self.turn.start(entry.call_id)
            case Output():
                self._apply_output(entry)
            case ChildEnded():
                if self.turn:
                    self.turn.ended_children[entry.call_id] = entry
            case HandedOff():
                self._apply_handoff(entry)
            case Parked():
                self._apply_parked(entry)
            case Decided():
                self._apply_decision(entry)
            case Checked():
                self.verdicts.add((entry.stage, entry.guardrail))
                self.usage += entry.usage or Usage()
            case BudgetNotice():
                self.warned_limits.add(entry.limit)
                self.spent_limit = entry.limit if entry.is_spent else self.spent_limit
            case Outcome():
                self._apply_outcome(entry)
            case Invoked():
                self.invocations += 1
                if self.turn:
                    self.turn.interrupted = self.turn.started - self.turn.outputs.keys()
            case _:
                assert_never(entry)

    def conversation(self) -> list[Item]:
        """Everything given and generated so far, in order."""
        current = [*self.turn.visible_items(), *self.turn.output_items()] if self.turn else []
        return [*self.history, *self.generated, *current]

    def context_changes(self, patch: ContextPatch | None = None) -> ContextPatch | None:
        """The top-level fields that the run has changed, counting a patch that is not applied yet."""
        given = self.given_context or {}
        current = {**(self.context or {}), **(patch or {})}
        return {name: value for name, value in current.items() if given.get(name, ...) != value} or None

    def new_items(self) -> list[Item]:
        """Everything generated so far."""
        return self.conversation()[len(self.history) :]

    def _apply_input(self, entry: RunInput) -> None:
        self.agent, self.history, self.given = entry.agent, list(entry.items), list(entry.items)
        self.context, self.given_context, self.options = entry.context, entry.context, entry.options
        self.origin = entry.retry.origin if entry.retry else None
        self.session = entry.session

    def _apply_reply(self, reply: Reply) -> None:
        self._finish_turn()
        replayed = {
            item["call_id"]
            for item in reply.items
            if item.get("type") == "function_call" and item["call_id"] in self.settled_calls
        }
        self.turn = Turn(reply, replayed=frozenset(replayed))
        self.turns += 1
        self.active_turns += 1
        self.failed_calls = 0
        self.has_last_reply = self.spent_limit is not None
        self.usage += reply.usage
        if any(is_call(item) for item in reply.items):
            self.tool_users.add(reply.agent)

    def _apply_output(self, output: Output) -> None:
        self._patch(output.context)
        if output.usage:
            self.usage += output.usage
        if self.turn:
            self.turn.outputs[output.call_id] = output

    def _apply_parked(self, entry: Parked) -> None:
        self._patch(entry.context)
        self.failed_calls += entry.error is not None
        if self.turn is None:
            return
        self.turn.children |= entry.waits
        for question in entry.questions:
            self.turn.ask(question)

    def _apply_decision(self, decided: Decided) -> None:
        if self.turn is None or decided.call_id not in self.turn.questions:
            return
        self.turn.decisions[decided.call_id] = decided
        if decided.always:
            self.always[self.turn.questions[decided.call_id].tool] = decided

    def _apply_handoff(self, entry: HandedOff) -> None:
        self._patch(entry.context)
        self._finish_turn()
        self.generated.extend(entry.outputs)
        if entry.view is not None:
            self._look_through(entry.view, entry.history_size)
        self.agent = entry.target
        self.active_turns = 0
        self.handoffs += 1

    def _apply_outcome(self, outcome: Outcome) -> None:
        self._patch(outcome.context)
        self._finish_turn()
        self.generated.extend(outcome.history or ())
        self.outcome = outcome

    def _finish_turn(self) -> None:
        if self.turn is None:
            return
        self.generated += [*self.turn.visible_items(), *self.turn.output_items()]
        self.settled_calls.update((call["call_id"], call_payload(call)) for call in self.turn.function_calls())
        self.turn = None

    def _look_through(self, view: list[list[int] | Item], history_size: int) -> None:
        conversation = [*self.history, *self.generated]
        seen: list[Item] = []
        for part in view:
            seen.extend(conversation[part[0] : part[1]] if isinstance(part, list) else [part])
        self.history, self.generated = seen[:history_size], seen[history_size:]

    def _patch(self, patch: dict[str, Any] | None) -> None:
        if patch:
            self.context = {**(self.context or {}), **patch}


def fold(entries: Iterable[Entry]) -> RunState:
    """The state that these entries lead to."""
    state = RunState()
    for entry in entries:
        state.apply(entry)
    return state


def encode_view(before: list[Item], after: list[Item]) -> list[list[int] | Item]:
    """`after` as ranges of `before`, by identity, and as new items: small however long the conversation is."""
    places = {id(item): index for index, item in enumerate(before)}
    view: list[list[int] | Item] = []
    for item in after:
        index = places.get(id(item))
        last = view[-1] if view else None
        if index is None:
            view.append(item)
        elif isinstance(last, list) and last[1] == index:
            last[1] = index + 1
        else:
            view.append([index, index + 1])
    return view


def call_payload(call: Item) -> str:
    """What makes two calls with one id the same call."""
    return f"{call.get('name')}({call.get('arguments')})"


def is_call(item: Item) -> bool:
    """Whether an item is a call of anything: a function, a handoff, a hosted tool."""
    return str(item.get("type", "")).endswith("_call")
