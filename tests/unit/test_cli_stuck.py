"""What `doctor` finds stuck, and how it explains one run."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.cli.checks import Check
from orchestrator.cli.explain import explain_run
from orchestrator.cli.inspect_runs import inspect_run, inspect_runs
from orchestrator.cli.stuck import Scene, Waiting, find_stuck
from orchestrator.entries import Outcome, Parked, RunInput
from orchestrator.ledger.base import NewRun, RunSummary
from orchestrator.ledger.memory import MemoryLedger
from orchestrator.run_ids import child_id
from orchestrator.usage import Usage

NOW = 1000.0
SCENE = Scene(now=NOW, loaded={"agents.clerk": ["w1@host"]}, taken={"celery"}, default_queue="celery")
CHILD = child_id("run", "c1")


def run(status: Any = "queued", run_id: str = "run", **fields: Any) -> RunSummary:
    known: dict[str, Any] = {
        "task": "agents.clerk",
        "step": 1,
        "queue": None,
        "started_at": NOW - 60,
        "updated_at": NOW - 30,
        "usage": Usage(),
        "cancel": False,
        "outcome": None,
        "parent": None,
        "waits": {},
        "tries": 1,
        "size": 2,
    }
    return RunSummary(run_id=run_id, status=status, **{**known, **fields})


def poisoned() -> RunSummary:
    error = {"type": "RunPoisoned", "message": "claimed too often"}
    return run("done", outcome=Outcome(kind="failure", error=error))


def stuck(*found: Waiting) -> list[Check]:
    return list(find_stuck(found, SCENE))


def explain(waiting: Waiting, worker: str | None = None) -> list[Check]:
    return list(explain_run(waiting, worker, SCENE))


def text_of(checks: list[Check]) -> str:
    return "\n".join(f"{check.state} {check.name}: {check.text} → {check.remedy}" for check in checks)


def test_runs_on_their_way_are_not_stuck() -> None:
    parked = run("parked", "parked", waits={"c1": child_id("parked", "c1")})

    assert (
        stuck(
            Waiting(run(), NOW + 5, {}),
            Waiting(run("running"), NOW + 20, {}),
            Waiting(parked, None, {"c1": run("running", child_id("parked", "c1"))}),
            Waiting(run("parked", waits={"c1": "approval"}), None, {}),
            Waiting(run("done", outcome=Outcome(kind="answer", output="hi")), None, {}),
        )
        == []
    )


@pytest.mark.parametrize(
    ("waiting", "text", "remedy"),
    [
        (Waiting(run(task="agents.gone"), NOW, {}), "no worker has loaded `agents.gone`; the first: run", "loads it"),
        (Waiting(run(queue="slow"), NOW, {}), "takes from the queue `slow`", "orchestrator worker -Q slow"),
        (
            Waiting(run("running"), NOW - 40, {}),
            "overdue and moved on by no worker, the oldest, run, for 40 s",
            "Start",
        ),
        (
            Waiting(run("parked", waits={"c1": CHILD}), None, {"c1": None}),
            f"waits for {CHILD}, which the ledger does not know",
            "orchestrator cancel run",
        ),
        (
            Waiting(run("parked", waits={"c1": CHILD}), None, {"c1": run("done", CHILD)}),
            "waits for runs that have all ended",
            "orchestrator cancel run",
        ),
    ],
)
def test_what_is_stuck_is_named_with_its_remedy(waiting: Waiting, text: str, remedy: str) -> None:
    [check] = stuck(waiting)

    assert check.state == "problem"
    assert text in check.text
    assert remedy in check.remedy


def test_runs_stuck_for_one_reason_are_one_finding() -> None:
    [check] = stuck(*(Waiting(run(run_id=f"run{number}", queue="slow"), NOW, {}) for number in range(3)))

    assert check.text.startswith("3 runs are queued")


def test_poisoned_run_is_named_but_no_problem_any_more() -> None:
    [check] = stuck(Waiting(poisoned(), None, {}))

    assert (check.name, check.state) == ("poison", "note")
    assert "memory limit" in check.remedy


@pytest.mark.parametrize(
    ("waiting", "worker", "expected"),
    [
        (Waiting(run(), NOW + 5, {}), None, "ok worker: w1@host will take it; its message is published again in 5 s"),
        (Waiting(run(queue="slow"), NOW + 5, {}), None, "problem worker: no worker takes from the queue `slow`"),
        (Waiting(run("running"), NOW + 20, {}), "w1@host", "its lease is good for 20 s"),
        (Waiting(run("running"), NOW + 20, {}), "w0@host", "note running: step 1, `agents.clerk` on w0@host"),
        (Waiting(run("running"), NOW + 20, {}), "w0@host", "that worker is gone; another one takes over in 20 s"),
        (Waiting(run("parked"), NOW + 9, {}), None, "ok parked: goes on in 9 s"),
        (
            Waiting(run("parked", waits={"c1": CHILD}), None, {"c1": run("running", CHILD)}),
            None,
            f"ok parked: waits for {CHILD} (running, `agents.clerk`: orchestrator doctor {CHILD})",
        ),
        (Waiting(run("parked"), None, {}), None, "problem lost: waits for nothing"),
        (Waiting(run("parked", waits={"c1": CHILD}), None, {"c1": None}), None, "problem lost: waits for"),
        (Waiting(run("queued"), NOW - 30, {}), None, "problem overdue: overdue for 30 s"),
        (Waiting(run(cancel=True), NOW, {}), None, "note cancel"),
        (Waiting(poisoned(), None, {}), None, "note ended: failure: claimed too often → Look for its end"),
        (
            Waiting(run("running", outcome=Outcome(kind="answer", output="hi")), NOW + 12, {}),
            None,
            "delivered again in 12 s",
        ),
    ],
)
def test_one_run_is_explained(waiting: Waiting, worker: str | None, expected: str) -> None:
    assert expected in text_of(explain(waiting, worker))


async def park_on_child(ledger: MemoryLedger) -> None:
    """A run that waits for another."""
    await ledger.start(new_run("run"))
    claimed = await ledger.claim("run", 1, message_id="m", worker="w1@host")
    assert claimed is not None
    child = new_run(CHILD, parent=("run", "c1"))
    await ledger.park(claimed, claimed.size, [Parked(waits={"c1": CHILD})], children=[child], note="asks")


async def test_runs_are_read_with_what_they_wait_for() -> None:
    ledger = MemoryLedger(clock=lambda: NOW)
    await park_on_child(ledger)

    found = {waiting.run.run_id: waiting for waiting in await inspect_runs(ledger)}
    one = await inspect_run(ledger, "run")

    assert found.keys() == {"run", CHILD}
    assert found[CHILD].deadline == NOW + 5
    assert one == (found["run"], "w1@host")
    assert found["run"].others["c1"] == found[CHILD].run
    assert await inspect_run(ledger, "unknown") is None


class ChildEndsMeanwhile(MemoryLedger):
    """The child ends, and wakes its parent, after that was read and before the child is."""

    async def summary(self, run_id: str) -> RunSummary | None:
        known = await super().summary(CHILD)
        if run_id == CHILD and known and known.status == "queued":
            child = await self.claim(CHILD, 1, message_id="m", worker="w1@host")
            assert child
            await self.end(child, child.size, [], Outcome(kind="answer", output="done"))
        return await super().summary(run_id)


async def test_a_run_whose_child_ends_while_it_is_read_is_not_stuck() -> None:
    ledger = ChildEndsMeanwhile(clock=lambda: NOW)
    await park_on_child(ledger)

    found = await inspect_run(ledger, "run")

    assert found
    assert stuck(found[0]) == []
    assert (found[0].run.status, found[0].deadline) == ("queued", NOW + 5)


def new_run(run_id: str, **fields: Any) -> NewRun:
    entry = RunInput(agent="clerk", items=[{"role": "user", "content": "hi"}])
    return NewRun(run_id=run_id, task="agents.clerk", digest="d", entry=entry, **fields)
