"""How runs look in Redis: script arguments and answers, and the fields of a run's hash."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.budget import Quantity, Spent
from orchestrator.entries import Decided, Entry, Invoked, Item, Outcome, dump_entry, load_entry
from orchestrator.errors import MessageError
from orchestrator.ledger import entry_rules
from orchestrator.ledger.base import Claim, NewRun, Pointer, RunSummary, Taker
from orchestrator.ledger.entry_rules import Writing
from orchestrator.ledger.live import Notice, Position
from orchestrator.ledger.sessions import Joining
from orchestrator.question import Question
from orchestrator.usage import Usage

# In the order of spending.lua.
_SPENT: tuple[Quantity, ...] = ("turns", "tokens", "money", "tool_calls")
_WARNED: tuple[Quantity, ...] = (*_SPENT, "seconds")
_WAIT = "wait:"
"""Of the names of a run's fields that are open waits, what stands before the call id."""

UNKNOWN_OUTPUT = dump_entry(entry_rules.unknown_output("", ""))
EXPIRED = dump_entry(Decided(call_id="", expired=True))
CANCELLED = dump_entry(entry_rules.cancelled_outcome())


def new_run_arguments(run: NewRun, *, caller: str = "") -> dict[str, Any]:
    """What scripts need to create a run, but for its entry. Without nulls: cjson takes them for values.

    `caller` is the task of the run that creates it.
    """
    parent, parent_call = run.parent or (None, None)
    options = entry_rules.options_of(run.entry)
    budget = options.budget
    fields = {
        "run_id": run.run_id,
        "task": run.task,
        "digest": run.digest,
        "note": run.note,
        "queue": run.queue,
        "priority": run.priority,
        "continuation": json.dumps(dict(run.continuation), ensure_ascii=False),
        "parent": parent,
        "parent_call": parent_call,
        "retry_of": entry_rules.retried_run(run.entry),
        "is_counted": entry_rules.is_counted_call(caller, run.task) or None,
        "tags": json.dumps(options.tags, ensure_ascii=False) if options.tags else None,
        "metadata": json.dumps(options.metadata, ensure_ascii=False) if options.metadata else None,
        "budget": budget.model_dump_json(exclude_defaults=True) if budget else None,
        "seconds": round(budget.seconds * 1000) if budget and budget.seconds else None,
        "deadline_at": round(options.deadline_at * 1000) if options.deadline_at else None,
        **(_joining_arguments(run.joining) if run.joining else {}),
        "lane": run.lane,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _joining_arguments(joining: Joining) -> dict[str, Any]:
    return {
        "session": joining.session,
        "if_busy": joining.if_busy,
        "keeps_agent": 1 if joining.keeps_agent else None,
        "keep_last": joining.keep_last,
        "compacts": 1 if joining.compacts else None,
    }


def dump_items(items: Sequence[Item]) -> str:
    """Items as scripts put them together: a list without a blank at its ends."""
    return json.dumps(list(items), ensure_ascii=False, separators=(",", ":"))


def claim_arguments(run_id: str, step: int, worker: str, message_id: str, *, max_tries: int) -> dict[str, Any]:
    """The arguments of `claim`, with templates of the entries that it writes, such as `invoked`."""
    return {
        "run_id": run_id,
        "step": step,
        "message": message_id,
        "invoked": dump_entry(Invoked(step=step, task="", worker=worker, fence=0)),
        "poisoned": dump_entry(entry_rules.poisoned_outcome(run_id, max_tries)),
        "unknown_output": UNKNOWN_OUTPUT,
        "expired": EXPIRED,
    }


def taker_arguments(taker: Taker, lease: int, known: Position | None) -> dict[str, Any]:
    """What `end_member` needs to take a flow for so many milliseconds; `known`: the last entry that the taker knows."""
    invoked = Invoked(step=0, task="", worker=taker.worker, fence=0, in_passing=True)
    arguments = {"task": taker.task, "message": taker.message_id, "lease": lease, "invoked": dump_entry(invoked)}
    return arguments | ({"known": known} if known else {})


def write_arguments(claim: Claim, at: int, writing: Writing) -> dict[str, Any]:
    """The arguments of the scripts with which a holder writes to its run."""
    arguments: dict[str, Any] = {
        "run_id": claim.run_id,
        "step": claim.step,
        "fence": claim.fence,
        "at": at,
        "entries": [entry_rules.is_move(entry) for entry in writing.entries],
        "started": list(writing.started.items()),
        "settled": writing.settled,
        "has_result": writing.has_result,
    }
    if writing.usage is not None:
        arguments["usage"] = writing.usage.model_dump_json(exclude_defaults=True)
    if budget := claim.options.budget:
        arguments |= {"spent": writing.spent, "warn_at": entry_rules.warn_thresholds(budget)}
    return arguments


def commit_arguments(claim: Claim, at: int, writing: Writing) -> dict[str, Any]:
    """The arguments of a commit, with templates of the entries that a cancelled run gets instead."""
    return write_arguments(claim, at, writing) | {"cancelled": CANCELLED, "unknown_output": UNKNOWN_OUTPUT}


def question_arguments(question: Question) -> dict[str, Any]:
    """What scripts keep of a question."""
    fields = question.model_dump(exclude={"asked_at", "expires_at"}) | {"asked_at": round(question.asked_at * 1000)}
    return fields if question.expires_at is None else fields | {"expires_at": round(question.expires_at * 1000)}


def read_questions(text: str) -> list[Question]:
    """The questions in a run's hash that are not decided."""
    kept = [fields for fields in json.loads(text).values() if "verdict" not in fields]
    times = [{name: fields[name] / 1000 for name in ("asked_at", "expires_at") if name in fields} for fields in kept]
    return [Question.model_validate(fields | seconds) for fields, seconds in zip(kept, times, strict=True)]


def decide_arguments(run_id: str, decided: Decided, decision_id: str) -> dict[str, Any]:
    """The arguments of `decide`."""
    return {
        "run_id": run_id,
        "call_id": decided.call_id,
        "decision": decision_id,
        "verdict": entry_rules.describe_verdict(decided),
        "always": decided.always,
        "kinds": dict.fromkeys(entry_rules.kinds_decided_by(decided), True),
    }


def load_outcome(text: str) -> Outcome:
    """The outcome in a run's hash."""
    entry = load_entry(text)
    if not isinstance(entry, Outcome):
        raise MessageError(f"A run's outcome is a {type(entry).__name__}. Does something else write to its keys?")
    return entry


def read_pointers(rows: Sequence[Sequence[Any]]) -> list[Pointer]:
    """The pointers of a script's answer."""
    return [
        Pointer(
            run_id=run_id,
            step=int(step),
            task=task,
            queue=queue,
            priority=None if priority is None else int(priority),
            note=note or "",
            continuation=json.loads(continuation or "{}"),
        )
        for run_id, step, task, queue, priority, note, continuation in rows
    ]


def read_claim(run_id: str, answer: Sequence[Any], *, known: Sequence[Entry] = ()) -> Claim:
    """What a script tells a run's new holder; `known`: the entries that come before those in it."""
    log, (step, fence, size, task, cancel, outcome, parent, parent_call, continuation, priority), notice = answer
    entries, damage = _load_readable(log)
    return Claim(
        run_id=run_id,
        step=int(step),
        fence=int(fence),
        size=int(size),
        task=task,
        entries=[*known, *entries],
        cancel=bool(cancel),
        outcome=load_outcome(outcome) if outcome else None,
        parent=(parent, parent_call) if parent else None,
        continuation=json.loads(continuation),
        priority=None if priority is None else int(priority),
        damage=damage,
        watched=bool(notice[1]),
        spent=_read_spent(notice[2]),
        pause=bool(notice[3]),
    )


def read_notice(answer: Sequence[Any]) -> Notice:
    """What a script tells the holder of its run."""
    cancel, watched, spent, pause = answer
    return Notice(bool(cancel), bool(watched), _read_spent(spent), bool(pause))


def _read_spent(answer: Sequence[Any] | None) -> Spent | None:
    if not answer:
        return None
    now, (started_at, *values) = answer
    counted: dict[str, int] = {name: int(value or 0) for name, value in zip(_SPENT, values, strict=False)}
    warned = {limit: run_id for limit, run_id in zip(_WARNED, values[len(_SPENT) :], strict=True) if run_id}
    return entry_rules.spent_from(counted, milliseconds=now - int(started_at), warned=warned)


def _load_readable(log: Sequence[str]) -> tuple[list[Entry], MessageError | None]:
    entries: list[Entry] = []
    try:
        for text in log:
            entries.append(load_entry(text))
    except MessageError as error:
        return entries, error
    return entries, None


def _read_waits(fields: Mapping[str, str]) -> dict[str, str]:
    old_format: dict[str, str] = json.loads(fields.get("waits", "{}"))
    waits = {name.removeprefix(_WAIT): child for name, child in fields.items() if name.startswith(_WAIT)}
    return old_format | waits


def read_summary(run_id: str, fields: Mapping[str, str]) -> RunSummary | None:
    """A run's hash. A run that was only cancelled in advance does not exist yet."""
    if "status" not in fields:
        return None
    outcome, parent = fields.get("outcome"), fields.get("parent")
    return RunSummary(
        run_id=run_id,
        status=fields["status"],  # type: ignore[arg-type]  # written by our scripts alone
        task=fields["task"],
        step=int(fields["step"]),
        queue=fields.get("queue"),
        started_at=int(fields["started_at"]) / 1000,
        updated_at=int(fields["updated_at"]) / 1000,
        usage=Usage.model_validate_json(fields.get("usage", "{}")),
        cancel="cancel" in fields,
        outcome=load_outcome(outcome) if outcome else None,
        parent=(parent, fields["parent_call"]) if parent else None,
        waits=_read_waits(fields),
        tries=int(fields["tries"]),
        size=int(fields["size"]),
        tags=tuple(json.loads(fields.get("tags", "[]"))),
        cancel_reason=fields.get("cancel_reason"),
        retry_of=fields.get("retry_of"),
        retried_by=fields.get("retried_by"),
        pause="pause" in fields,
        metadata=json.loads(fields.get("metadata", "{}")),
        questions=read_questions(fields.get("questions", "{}")),
    )
