"""Judges a round by what was seen from outside: problems in words, and the figures."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tests.chaos.effects import Effect
from tests.chaos.faults import LOST_SECONDS, Fault
from tests.chaos.round import Seen
from tests.chaos.scripted_model import ModelCall

RECORD_SECONDS = 0.5
"""From a reply's leaving the model's server to its being in the ledger."""

RECONNECT_SECONDS = 1.5
"""From the server's return to the next attempt of a worker that has something to record: waits are a second at most."""

AFTERMATH_SECONDS = 6.0
"""So long after a loss, messages come again whose tasks go on: workers and server compare what they remember."""

Figures = dict[str, str]


def find_problems(seen: Seen) -> list[str]:
    """Everything that must not be."""
    return [
        *_unfinished(seen),
        *_wrong_outcomes(seen),
        *_wrong_results(seen),
        *_wrong_effects(seen),
        *_wrong_followers(seen),
        *_wasted_calls(seen),
        *(f"run {run_id} still has a deadline" for run_id in seen.due),
        *(f"key {key} is left for ever" for key in seen.keys_left),
    ]


def _unfinished(seen: Seen) -> Iterator[str]:
    for item in seen.unfinished:
        runs = {run_id: seen.runs[run_id].status if run_id in seen.runs else "unknown" for run_id in item.run_ids}
        yield f"{item.kind} {item.subject} has not ended: runs {runs}, result {seen.results[item.last_id]}"


def _wrong_outcomes(seen: Seen) -> Iterator[str]:
    """Every run, those that agents started included, has ended exactly once; those of producers rightly."""
    answers = {run_id: item.answers[run_id] for item in seen.items for run_id in item.run_ids}
    for run_id in answers.keys() - seen.runs.keys():
        yield f"run {run_id} is not in the ledger"
    for run_id, run in seen.runs.items():
        if run.status != "done" or run.count("outcome") != 1:
            yield f"run {run_id} is {run.status} with {run.count('outcome')} outcomes"
        elif run.outcome is None or run.outcome["kind"] != "answer":
            yield f"run {run_id} ended with {run.outcome}"
        elif run_id in answers and run.outcome["output"] != answers[run_id]:
            yield f"run {run_id} answered {run.outcome['output']!r}, not {answers[run_id]!r}"
        if ":" not in run_id and run_id not in answers:
            yield f"run {run_id} was asked for by nobody"


def _wrong_results(seen: Seen) -> Iterator[str]:
    for item in seen.items:
        for task_id, answer in item.answers.items():
            if seen.results[task_id] != answer:
                yield f"task {task_id} has the result {seen.results[task_id]!r}, not {answer!r}"


def _wrong_effects(seen: Seen) -> Iterator[str]:
    for (kind, name, subject), effects in _tool_effects(seen).items():
        keys = {effect.key for effect in effects}
        if kind == "report" and len(effects) > 1:
            yield f"report tool {name} of {subject} started {len(effects)} times"
        if kind == "rerun" and len(keys) > 1 and not _lost_with_server(effects[0].at, effects[0].at, seen.faults):
            yield f"rerun tool {name} of {subject} saw {len(keys)} keys: {keys}"


def _wrong_followers(seen: Seen) -> Iterator[str]:
    """Ordinary tasks ran, each under the id that it was given."""
    expected = {task_id for item in seen.items for task_id in item.followers}
    ran = _followers(seen)
    for task_id in expected - ran.keys():
        yield f"ordinary task {task_id} did not run"
    for task_id in ran.keys() - expected:
        yield f"ordinary task ran under the new id {task_id}"


def _wasted_calls(seen: Seen) -> Iterator[str]:
    for call in find_wasted_calls(seen).others:
        later = [
            f"{fault.kind} after {fault.at - call.ends_at:.1f} s"
            for fault in seen.faults
            if fault.target == call.worker
        ]
        yield f"model call for {call.subject} by {call.worker} was lost, though no fault had hit it (but {later})"


# ---- figures ------------------------------------------------------------------------------------


def count_figures(seen: Seen) -> Figures:
    """The table that `make chaos` prints."""
    kinds = Counter(fault.kind for fault in seen.faults)
    wasted = find_wasted_calls(seen)
    report = [effects for (kind, _, _), effects in _tool_effects(seen).items() if kind == "report"]
    rerun = [effects for (kind, _, _), effects in _tool_effects(seen).items() if kind == "rerun"]
    failed_calls = sum(call.is_failure for call in seen.calls)
    return {
        "runs asked for": str(sum(len(item.run_ids) for item in seen.items)),
        "runs in all, with agents' own": str(len(seen.runs)),
        "canvases around them": str(sum(bool(item.followers) for item in seen.items)),
        "not ended": str(len(seen.unfinished)),
        "workers killed (-9)": str(kinds["kill"]),
        "workers paused": str(kinds["pause"]),
        "server restarted": f"{kinds['restart']} gracefully, {kinds['server kill']} after kill -9, "
        f"{kinds['power loss']} after loss of a second's writes",
        "submits repeated after that": str(len(seen.vanished)),
        "makespan": f"{seen.makespan_seconds:.1f} s",
        "runs recovered": str(sum(run.repeated_claims > 0 for run in seen.runs.values())),
        "steps claimed again": str(sum(run.repeated_claims for run in seen.runs.values())),
        "model calls": f"{len(seen.calls)}, of which {failed_calls} failed on purpose",
        "model calls in vain": f"{len(wasted.hit)} that a fault had hit, {len(wasted.others)} others",
        "report tools started": f"{sum(map(len, report))} times in {len(report)} calls",
        "rerun tools started": f"{sum(map(len, rerun))} times in {len(rerun)} calls",
        "ordinary tasks run again": str(sum(count - 1 for count in _followers(seen).values())),
        "runs with a deadline left": str(len(seen.due)),
        "keys left for ever": str(len(seen.keys_left)),
    }


def _tool_effects(seen: Seen) -> dict[tuple[str, str, str], list[Effect]]:
    """By kind, tool and subject: what one tool call of the script did."""
    found: dict[tuple[str, str, str], list[Effect]] = defaultdict(list)
    for effect in seen.effects:
        if effect.kind != "task":
            found[effect.kind, effect.name, effect.subject].append(effect)
    return found


def _followers(seen: Seen) -> Counter[str]:
    return Counter(effect.key for effect in seen.effects if effect.kind == "task")


@dataclass(frozen=True)
class WastedCalls:
    """Model calls whose reply is in no ledger: beyond the ideal."""

    hit: list[ModelCall]
    """Their worker was lost before it could record the reply, or the record was lost with the server."""
    others: list[ModelCall]


def find_wasted_calls(seen: Seen) -> WastedCalls:
    """Sort the model calls that were made in vain by whether a fault had hit them."""
    recorded = {entry["response_id"] for run in seen.runs.values() for entry in run.entries if entry["type"] == "reply"}
    answered = [call for call in seen.calls if not call.is_failure]
    last_recorded: dict[str, float] = defaultdict(float)
    for call in answered:
        if call.response_id in recorded:
            last_recorded[call.worker] = max(last_recorded[call.worker], call.ends_at)
    wasted = WastedCalls([], [])
    for call in answered:
        if call.response_id not in recorded:
            is_hit = _was_hit(call, seen.faults, last_recorded[call.worker])
            (wasted.hit if is_hit else wasted.others).append(call)
    return wasted


def _was_hit(call: ModelCall, faults: Sequence[Fault], last_recorded: float) -> bool:
    """Whether its worker was lost with the reply in its hands. A busy one records late, but in turn."""
    expected_at = _record_expected_at(call, faults)
    for fault in faults:
        was_in_hand = fault.at <= expected_at or last_recorded <= call.ends_at
        if fault.target == call.worker and call.began_at <= fault.until and was_in_hand:
            return True
    return _lost_with_server(call.began_at, call.ends_at, faults)


def _record_expected_at(call: ModelCall, faults: Sequence[Fault]) -> float:
    """When at the latest the ledger has the reply. While the server is away, its worker holds it."""
    expected_at = call.ends_at + RECORD_SECONDS
    outages = (fault for fault in faults if fault.target == "server" and fault.at <= expected_at)
    returns = (fault.until + RECONNECT_SECONDS for fault in outages if call.ends_at <= fault.until)
    return max([expected_at, *returns])


def _lost_with_server(began_at: float, ended_at: float, faults: Iterable[Fault]) -> bool:
    """Whether the server lost the record of it, or of what led to it."""
    crashes = (fault for fault in faults if fault.loses_data)
    return any(crash.at - LOST_SECONDS <= ended_at and began_at <= crash.until + AFTERMATH_SECONDS for crash in crashes)
