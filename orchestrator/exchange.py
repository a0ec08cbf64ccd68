"""What one run adds to its session. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.conversation import drop_unanswered
from orchestrator.entries import Entry, HandedOff, Outcome, Output, Reply, SessionHistory
from orchestrator.errors import OutputGuardrailTripwireTriggered
from orchestrator.ledger.entry_rules import UNKNOWN
from orchestrator.models.base import Item
from orchestrator.state import Turn, fold, function_call_output

SUMMARY = "Summary of the conversation so far:\n"
WITHHELD = "Withheld: an output guardrail blocked it."


def exchange_of(entries: Iterable[Entry]) -> list[Item]:
    """The items, however the run ended: its input, and what was generated, without calls that came to nothing.

    A call that had begun and did not end is told of, since it may have taken effect. What an input filter took
    from the next agent's view is kept; an answer that an output guardrail has blocked is not. A run that sums up its
    session leaves the summary, or nothing.
    """
    entries = list(entries)
    history = next((entry for entry in entries if isinstance(entry, SessionHistory)), None)
    outcome = next((entry for entry in entries if isinstance(entry, Outcome)), None)
    if history is not None and history.compacts:
        return _summary(outcome)
    if outcome is not None and (outcome.error or {}).get("type") == OutputGuardrailTripwireTriggered.__name__:
        entries = _without_answer(entries)
    state = fold(_unfiltered(entry) for entry in entries)
    given = len(history.items) if history else 0
    turn = _open_turn(entries)
    unknown = [function_call_output(call_id, UNKNOWN) for call_id in _begun(turn)] if turn else []
    return drop_unanswered([*state.conversation()[given:], *unknown])


def _summary(outcome: Outcome | None) -> list[Item]:
    if outcome is None or outcome.kind != "answer":
        return []
    return [{"role": "assistant", "content": f"{SUMMARY}{outcome.output}"}]


def _without_answer(entries: list[Entry]) -> list[Entry]:
    """What a guardrail kept from the user is kept from the next run, too: a message, or the outputs that were it."""
    last = max((index for index, entry in enumerate(entries) if isinstance(entry, Reply)), default=len(entries))
    return [*entries[:last], *map(_withheld, entries[last:])]


def _withheld(entry: Entry) -> Entry:
    match entry:
        case Reply():
            kept = [item for item in entry.items if item.get("type", "message") != "message"]
            return entry.model_copy(update={"items": kept})
        case Output():
            return entry.model_copy(update={"output": WITHHELD})
    return entry


def _unfiltered(entry: Entry) -> Entry:
    return entry.model_copy(update={"view": None}) if isinstance(entry, HandedOff) else entry


def _open_turn(entries: list[Entry]) -> Turn | None:
    """The turn in which the run ended."""
    return fold(entry for entry in entries if not isinstance(entry, Outcome)).turn


def _begun(turn: Turn) -> list[str]:
    calls = [call["call_id"] for call in turn.function_calls()]
    return [call_id for call_id in calls if call_id in turn.started and call_id not in turn.outputs]
