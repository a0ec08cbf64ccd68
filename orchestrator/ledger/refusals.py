"""The errors with which ledgers refuse a call, in the same words everywhere."""

from __future__ import annotations

from orchestrator.entries import VERSION
from orchestrator.errors import (
    AlreadyDecided,
    DecisionError,
    LedgerError,
    NewerVersion,
    NotAsked,
    RunConflict,
    RunNotFound,
    RunOver,
    SessionBusy,
    WrongRunState,
)
from orchestrator.ledger.base import Fenced


def fenced(run_id: str, fence: int) -> Fenced:
    """The caller's licence has lapsed."""
    return Fenced(f"Run `{run_id}` is no longer held under fence {fence}.")


def conflict(run_id: str) -> RunConflict:
    """The id is taken."""
    return RunConflict(
        f"Run `{run_id}` exists with another agent or input. Submit under a new id, or with the first input again.",
        run_id=run_id,
    )


def busy(session: str, run_id: str) -> SessionBusy:
    """Another run has the floor."""
    return SessionBusy(
        f"Session `{session}` is busy with run `{run_id}`. Submit again when that has ended, or let the new run wait "
        'with if_busy="queue", or take its place with if_busy="interrupt".',
        run_id=run_id,
        session=session,
    )


def outdated(run_id: str, expected: int, size: int) -> LedgerError:
    """The log is not what the caller decided upon."""
    return LedgerError(
        f"The log of run `{run_id}` has {size} entries, this invocation expected {expected}. "
        "It must not write what it decided on an older log: claim the run again.",
        run_id=run_id,
    )


def newer(run_id: str, version: int) -> NewerVersion:
    """The run belongs to newer workers."""
    return NewerVersion(
        f"Run `{run_id}` has an entry of version {version}, this process reads up to {VERSION}. Upgrade "
        "celery-orchestrator on this worker; the run stays queued for newer ones.",
        run_id=run_id,
    )


def ended(run_id: str) -> LedgerError:
    """Only the delivery is left."""
    return LedgerError(f"Run `{run_id}` has its outcome, nothing can be added: deliver it.", run_id=run_id)


def unfinished(run_id: str) -> LedgerError:
    """There is nothing to have been delivered."""
    return LedgerError(f"Run `{run_id}` has no outcome, it cannot be closed: end it first.", run_id=run_id)


def settled(run_id: str, call_id: str) -> ValueError:
    """A call is about to take effect twice."""
    return ValueError(f"Call `{call_id}` of run `{run_id}` has its output, it must not start again.")


def unknown(run_id: str) -> RunNotFound:
    """Nobody knows the run."""
    return RunNotFound(f"There is no run {run_id!r}: never submitted, or past its retention.", run_id=run_id)


def misplaced(run_id: str, state: str) -> WrongRunState:
    """The run is not in a state for that."""
    return WrongRunState(f"Run `{run_id}` {state}.", run_id=run_id)


def over(run_id: str) -> RunOver:
    """Nothing waits for a decision any more."""
    return RunOver(f"Run `{run_id}` has ended or is being cancelled: there is nothing left to decide.", run_id=run_id)


def not_asked(run_id: str, call_id: str) -> NotAsked:
    """A decision about something that nobody asks."""
    return NotAsked(
        f"Run `{run_id}` asks nothing about a call `{call_id}`. `orchestrator approvals {run_id}` lists what it asks.",
        run_id=run_id,
        call_id=call_id,
    )


def decided(run_id: str, call_id: str, verdict: str) -> AlreadyDecided:
    """The first decision counts."""
    return AlreadyDecided(
        f"Call `{call_id}` of run `{run_id}` was {verdict}. The first decision counts; nothing has changed.",
        run_id=run_id,
        call_id=call_id,
    )


def misfit(run_id: str, call_id: str, kind: str) -> DecisionError:
    """Approving what waits for an answer, say."""
    remedies = {
        "approval": "approve or reject it",
        "interrupted": "approve or reject it, for this one call",
        "answer": "answer it, or reject it, for this one call",
    }
    return DecisionError(
        f"Call `{call_id}` of run `{run_id}` cannot be decided so: {remedies[kind]}.", run_id=run_id, call_id=call_id
    )
