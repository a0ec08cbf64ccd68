"""Runs end, once, although workers are killed, messages are lost and the server is restarted."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from celery import chain

from orchestrator import Run
from orchestrator.loop import background
from orchestrator.settings import load_settings
from orchestrator.submission import new_run
from tests.acceptance.conftest import APP, impatient, replace_worker, start_worker
from tests.acceptance.shop import Shop
from tests.support.model_scripts import ModelScripts
from tests.support.model_server import Reply, message, tool_call
from tests.support.stack import Process, Stack, wait_until

SECONDS = 60


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, scripts: ModelScripts) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack"), app=APP, environment={**impatient(), **scripts.environment}) as stack:
        yield stack


def counted(run: Run, kind: str) -> int:
    """How many entries of a kind the run's own log has in the end."""
    return sum(event.type == kind for event in run.events(children=False))


def test_run_whose_worker_is_killed_in_a_model_call_ends_once(
    shop: Shop, stack: Stack, scripts: ModelScripts, worker: Process, key: str
) -> None:
    scripts.add(key, [tool_call("charge", {"input": key})], Reply(items=[], delay_seconds=30), [message("paid up")])
    result = chain(shop.careful.s(key), shop.note.s(key=key)).apply_async()
    wait_until(lambda: len(scripts.asked(key)) == 2, "the model is asked for the second time")

    replace_worker(stack, worker)

    assert result.get(timeout=SECONDS) == "paid up"
    run = shop.app.orchestrator.run(result.parent.id)
    wait_until(lambda: run.status() == "done", "the answer is delivered")
    assert shop.effects(f"charged:{key}") == ["charged"]
    assert shop.effects(key) == ["paid up"]
    assert (counted(run, "invocation"), counted(run, "output"), counted(run, "outcome")) == (2, 1, 1)


def test_tool_that_was_cut_off_runs_again_but_none_that_had_ended(
    shop: Shop, stack: Stack, scripts: ModelScripts, worker: Process, key: str
) -> None:
    calls = [tool_call("charge", {"input": key}), tool_call("wait_for_flag", {"input": key})]
    scripts.add(key, calls, [message("done")])
    run = shop.careful.submit(key)
    wait_until(lambda: counted_now(shop, run, "output") == 1, "the first tool has ended and the second works")

    replace_worker(stack, worker)
    wait_until(lambda: len(shop.effects(f"waiting:{key}")) == 2, "the second tool works again")
    shop.set_flag(key)

    assert run.result(SECONDS) == "done"
    assert shop.effects(f"charged:{key}") == ["charged"]
    assert len(scripts.asked(key)) == 2


def test_parked_caller_outlives_the_worker_of_the_agent_that_it_called(
    shop: Shop, stack: Stack, scripts: ModelScripts, worker: Process, key: str
) -> None:
    scripts.add(
        key,
        [tool_call("ask_expert", {"input": f"expert {key}"})],  # the caller
        Reply(items=[], delay_seconds=30),  # the called agent, killed
        [message("I know")],  # the called agent again
        [message("it knows")],  # the caller
    )
    run = shop.manager.submit(key)
    wait_until(lambda: len(scripts.asked(key)) == 2, "the called agent's model is asked")
    assert run.status() == "parked"

    replace_worker(stack, worker)

    assert run.result(SECONDS) == "it knows"


def test_run_that_was_started_and_never_published_is_picked_up(
    shop: Shop, scripts: ModelScripts, worker: Process, key: str
) -> None:
    scripts.add(key, [message("found")])
    lost = new_run(shop.echo, key, run_id=key, settings=load_settings())

    background.run(shop.app.orchestrator.ledger.start(lost))

    assert shop.app.orchestrator.run(key).result(SECONDS) == "found"
    assert shop.app.AsyncResult(key).get(timeout=SECONDS) == "found"


def test_run_whose_message_was_purged_is_picked_up(
    shop: Shop, scripts: ModelScripts, worker: Process, key: str
) -> None:
    scripts.add(key, [message("found")])
    run = shop.echo.submit(key, queue=key)
    assert shop.app.backend.client.delete(key) == 1

    shop.app.control.add_consumer(key, reply=True)

    assert run.result(SECONDS) == "found"


def test_runs_in_flight_outlive_a_restart_of_the_server(
    shop: Shop, stack: Stack, scripts: ModelScripts, worker: Process, key: str
) -> None:
    keys = [f"{key}-{number}" for number in range(6)]
    for number, name in enumerate(keys):
        slow = Reply(items=[tool_call("transfer_to_specialist")], delay_seconds=0.2 + 0.3 * number)
        scripts.add(name, slow, [tool_call("transfer_to_closer")], [message(f"closed {name}")])
    runs = [shop.triage.submit(name) for name in keys]
    wait_until(lambda: all(scripts.asked(name) for name in keys), "all models are asked")

    stack.valkey.stop()
    stack.valkey.start()

    wait_until(lambda: all_done(stack, runs), "all answers are delivered", timeout_seconds=SECONDS)
    assert [run.result(SECONDS) for run in runs] == [f"closed {name}" for name in keys]
    assert [counted(run, "outcome") for run in runs] == [1] * len(runs)


def all_done(stack: Stack, runs: list[Run]) -> bool:
    """Whether all runs are done. Starts a worker where none is left, as what supervises processes does."""
    if not any(process.is_running for process in stack.processes):
        start_worker(stack)
    return all(run.status() == "done" for run in runs)


def counted_now(shop: Shop, run: Run, kind: str) -> int:
    """How many entries of a kind the run's log has so far."""
    entries = background.run(shop.app.orchestrator.ledger.entries(run.id))
    return sum(entry.type == kind for _, entry in entries)


# ---- zombies and copies -------------------------------------------------------------------------


def test_worker_that_stood_still_for_longer_than_its_lease_changes_nothing_when_it_goes_on(
    shop: Shop, stack: Stack, scripts: ModelScripts, worker: Process, key: str
) -> None:
    zombies = Reply(items=[message("from the zombie")], delay_seconds=4)  # time enough to stop its worker
    scripts.add(key, [tool_call("charge", {"input": key})], zombies, [message("from the heir")])
    result = chain(shop.careful.s(key), shop.note.s(key=key)).apply_async()
    wait_until(lambda: len(scripts.asked(key)) == 2, "the model is asked for the second time")
    run = shop.app.orchestrator.run(result.parent.id)

    os.killpg(worker.pid, signal.SIGSTOP)
    start_worker(stack)
    assert result.get(timeout=SECONDS) == "from the heir"
    os.killpg(worker.pid, signal.SIGCONT)

    worker.wait_for_log(f"[{run.id}] ignored")
    wait_until(lambda: run.status() == "done", "the answer is delivered")
    assert (counted(run, "invocation"), counted(run, "output"), counted(run, "outcome")) == (2, 1, 1)
    assert shop.effects(f"charged:{key}") == ["charged"]
    assert shop.effects(key) == ["from the heir"]


def test_many_copies_of_a_message_are_one_invocation(
    shop: Shop, scripts: ModelScripts, worker: Process, key: str
) -> None:
    scripts.add(key, Reply(items=[message("once")], delay_seconds=0.5))
    orchestrator = shop.app.orchestrator
    new = new_run(shop.echo, key, run_id=key, settings=load_settings())
    pointer = background.run(orchestrator.ledger.start(new))

    orchestrator.client.publish([pointer] * 10)

    run = orchestrator.run(key)
    assert run.result(SECONDS) == "once"
    orchestrator.client.publish([pointer] * 10)  # when it has long ended
    wait_until(lambda: shop.app.backend.client.llen("celery") == 0, "all copies are taken")
    assert (counted(run, "invocation"), counted(run, "outcome")) == (1, 1)
    assert len(scripts.asked(key)) == 1
