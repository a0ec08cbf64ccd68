"""Steps of conversations that the ledger suites share."""

from __future__ import annotations

from typing import Any

from orchestrator.entries import Item, SessionHistory
from orchestrator.ledger.base import Claim, Ledger, NewRun, Pointer
from orchestrator.ledger.sessions import Joining
from tests.contract.steps import ANSWER, claim, new_run


def joins(run_id: str, **how: Any) -> NewRun:
    return new_run(run_id, joining=Joining("chat", **how))


def said(*words: str) -> list[Item]:
    return [{"role": "user", "content": word} for word in words]


async def start(ledger: Ledger, run_id: str, **how: Any) -> Pointer | None:
    return await ledger.start(joins(run_id, **how))


async def end(ledger: Ledger, claimed: Claim, *words: str) -> list[Pointer]:
    pointers = (await ledger.end(claimed, claimed.size, [], ANSWER, exchange=said(*words))).pointers
    return pointers


async def converse(ledger: Ledger, *words: str, **how: Any) -> None:
    """One whole run for each word."""
    for word in words:
        await start(ledger, f"run-{word}", **how)
        claimed = await claim(ledger, f"run-{word}")
        await end(ledger, claimed, word)
        await ledger.close(claimed)


def history_of(claimed: Claim) -> list[str]:
    [history] = [entry for entry in claimed.entries if isinstance(entry, SessionHistory)]
    return [item["content"] for item in history.items]


async def line(ledger: Ledger) -> tuple[str | None, list[str]]:
    record = await ledger.session("chat")
    assert record
    return record.floor, record.line
