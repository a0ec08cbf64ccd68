"""Submitting runs and holding on to them: results, events, status, idempotence, expiry and cancelling."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from celery import group

from orchestrator import Run
from orchestrator.errors import (
    DeadlineExceeded,
    InvalidInput,
    ResultTimeout,
    RunCancelled,
    RunConflict,
    RunExpired,
    RunNotFound,
    UserError,
)
from orchestrator.loop import background
from tests.acceptance.conftest import APP, producing, start_two_workers
from tests.acceptance.shop import Basket, Quote, Shop
from tests.support.stack import REPOSITORY, Stack, wait_until

SECONDS = 20


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A cancel reaches a running invocation within a sixth of the lease."""
    with Stack(tmp_path_factory.mktemp("stack"), app=APP, environment={"ORCHESTRATOR_LEASE_SECONDS": "3"}) as stack:
        start_two_workers(stack)
        yield stack


# ---- results ------------------------------------------------------------------------------------


def test_result_is_the_answer_as_its_type(shop: Shop) -> None:
    assert shop.triage.submit("a").result(SECONDS) == "closed(a)"
    assert shop.pricer.submit("tea").result(SECONDS) == Quote(item="tea", cents=100)


def test_result_can_be_had_from_celery_too(shop: Shop) -> None:
    run = shop.triage.submit("a")

    assert shop.app.AsyncResult(run.id).get(timeout=SECONDS) == "closed(a)"


def test_handle_can_be_made_from_the_id_of_any_signature(shop: Shop) -> None:
    run = shop.app.orchestrator.run(shop.pricer.delay("tea").id)

    wait_until(lambda: is_known(run), "the message has been taken up")
    assert run.result(SECONDS) == Quote(item="tea", cents=100)


def test_context_travels_with_the_run(shop: Shop) -> None:
    run = shop.shopper.submit("milk", context=Basket(customer="Ada", items=["tea"]))

    assert run.result(SECONDS) == "basket(Ada: tea, milk)"


def test_queue_and_priority_beat_the_agents_own(shop: Shop) -> None:
    run = shop.echo.submit("a", queue="heavy", priority=2)

    assert run.result(SECONDS) == "a"
    assert {entry.worker for entry in entries(run, "invocation")} == {"heavy@test"}


def test_several_event_loops_in_turn_can_submit_and_await(shop: Shop) -> None:
    async def serve(number: int) -> list[str]:
        runs = [await shop.triage.asubmit(f"{number}.{place}") for place in range(3)]
        return list(await asyncio.gather(*(run.aresult(SECONDS) for run in runs)))

    async def await_one(run: Run) -> Any:
        return await run

    for number in range(3):
        answers = asyncio.run(serve(number))
        assert answers == [f"closed({number}.{place})" for place in range(3)]
    run = shop.triage.submit("last")
    assert asyncio.run(await_one(run)) == asyncio.run(await_one(run)) == "closed(last)"


def test_many_threads_submit_at_once(shop: Shop) -> None:
    answers: dict[int, Any] = {}

    def submit(number: int) -> None:
        answers[number] = shop.echo.submit(str(number)).result(SECONDS)

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert answers == {number: str(number) for number in range(8)}


def test_waiting_for_a_result_gives_up_while_the_run_goes_on(shop: Shop, key: str) -> None:
    run = shop.waiter.submit(key)

    with pytest.raises(ResultTimeout, match=r"has not ended within 0\.3 seconds. It goes on"):
        run.result(0.3)
    shop.set_flag(key)
    assert run.result(SECONDS) == f"waited(saw {key})"


def test_unknown_run_is_said_to_be_unknown(shop: Shop) -> None:
    run = shop.app.orchestrator.run("never-submitted")

    for ask in (run.status, run.result, run.summary, lambda: list(run.events())):
        with pytest.raises(RunNotFound, match=r"There is no run 'never-submitted'.*retention"):
            ask()


# ---- events and status --------------------------------------------------------------------------


def test_events_come_while_the_run_is_going_on(shop: Shop, key: str) -> None:
    run = shop.waiter.submit(key)
    seen = []

    for event in run.events():
        seen.append(event.type)
        if event.type == "started":
            assert run.status() == "running"
            shop.set_flag(key)

    assert seen == ["input", "invocation", "reply", "started", "output", "reply", "outcome"]


def test_events_can_be_read_again_from_any_loop(shop: Shop) -> None:
    run = shop.triage.submit("a")
    run.result(SECONDS)

    async def read() -> list[str]:
        return [event.type async for event in run.aevents()]

    assert asyncio.run(read()) == asyncio.run(read()) == [event.type for event in run.events()]


def test_events_of_called_agents_come_between_the_callers(shop: Shop) -> None:
    run = shop.manager.submit("a")

    events = list(run.events())

    assert {event.run_id.split(":")[0] for event in events} == {run.id}
    assert len({event.run_id for event in events}) == 2
    assert all(event.run_id == run.id for event in run.events(children=False))


def test_status_is_queued_until_a_worker_serves_the_queue(shop: Shop, stack: Stack, key: str) -> None:
    run = shop.triage.submit("a", queue=key)

    assert run.status() == "queued"
    serve_queue(shop, key)
    assert run.result(SECONDS) == "closed(a)"
    wait_until(lambda: run.status() == "done", "the answer is delivered")


def test_status_is_parked_while_a_called_agent_works(shop: Shop, key: str) -> None:
    run = shop.asker.submit(key)

    wait_until(lambda: run.status() == "parked", "the caller waits")
    [child] = run.summary().waits.values()
    wait_until(lambda: shop.effects(f"waiting:{key}"), "the called agent works")
    assert shop.app.orchestrator.run(child).status() == "running"
    shop.set_flag(key)
    assert run.result(SECONDS) == f"asker(waited(saw {key}))"


def test_parked_caller_holds_no_slot(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Stack(tmp_path_factory.mktemp("single"), app=APP) as stack:
        stack.start_worker(concurrency=1)

        with producing(stack) as shop:
            runs = [shop.busy.submit(f"number {number}") for number in range(3)]

            assert [run.result(SECONDS) for run in runs] == ["one and two"] * 3


# ---- idempotence --------------------------------------------------------------------------------


def test_same_id_and_input_is_the_same_run(shop: Shop, key: str) -> None:
    first = shop.triage.submit("a", run_id=key)
    second = shop.triage.submit("a", run_id=key)

    assert first.id == second.id == key
    assert [first.result(SECONDS), second.result(SECONDS)] == ["closed(a)", "closed(a)"]
    assert shop.triage.submit("a", run_id=key).result(SECONDS) == "closed(a)"
    assert [entry.step for entry in entries(first, "invocation")] == [1, 2, 3]


def test_many_submits_of_one_id_at_once_are_one_run(shop: Shop, key: str) -> None:
    async def submit() -> list[Any]:
        runs = await asyncio.gather(*(shop.triage.asubmit("a", run_id=key) for _ in range(8)))
        return await asyncio.gather(*(run.aresult(SECONDS) for run in runs))

    assert asyncio.run(submit()) == ["closed(a)"] * 8
    assert [entry.step for entry in entries(shop.app.orchestrator.run(key), "invocation")] == [1, 2, 3]


def test_same_id_with_other_input_is_a_conflict(shop: Shop, key: str) -> None:
    run = shop.triage.submit("a", run_id=key)

    with pytest.raises(RunConflict, match=f"Run `{key}` exists with another agent or input"):
        shop.triage.submit("b", run_id=key)
    with pytest.raises(RunConflict):
        shop.echo.submit("a", run_id=key)
    assert run.result(SECONDS) == "closed(a)"


def test_run_id_must_be_usable_as_a_key(shop: Shop) -> None:
    with pytest.raises(InvalidInput, match="letters, digits, dots"):
        shop.triage.submit("a", run_id="a b{c}")


# ---- expiry and cancelling ----------------------------------------------------------------------


def test_run_that_nobody_began_in_time_expires(shop: Shop, key: str) -> None:
    late = shop.triage.submit("a", queue=key, expires=0.2)
    good = shop.triage.submit("a", queue=key, expires=60)
    time.sleep(0.3)

    serve_queue(shop, key)

    with pytest.raises(RunExpired, match="No worker had begun the run"):
        late.result(SECONDS)
    assert good.result(SECONDS) == "closed(a)"


def test_queued_run_is_cancelled_before_it_begins(shop: Shop, key: str) -> None:
    run = shop.careful.submit(key, queue=key)

    run.cancel()
    serve_queue(shop, key)

    with pytest.raises(RunCancelled):
        run.result(SECONDS)
    assert shop.effects(f"charged:{key}") == []


def test_running_run_is_cancelled_in_the_middle_of_its_work(shop: Shop, key: str) -> None:
    run = shop.waiter.submit(key)
    wait_until(lambda: shop.effects(f"waiting:{key}"), "the run works")

    run.cancel()

    with pytest.raises(RunCancelled):
        run.result(5)
    with pytest.raises(RunCancelled):
        shop.app.AsyncResult(run.id).get(timeout=SECONDS)


def test_reason_of_a_cancel_reaches_who_waits_for_the_result(shop: Shop, key: str) -> None:
    run = shop.waiter.submit(key)
    wait_until(lambda: shop.effects(f"waiting:{key}"), "the run works")

    run.cancel("the customer has left")

    with pytest.raises(RunCancelled, match="The run was cancelled: the customer has left"):
        run.result(SECONDS)


def test_members_of_a_group_are_cancelled_before_and_while_they_work(shop: Shop, key: str) -> None:
    works, waits = shop.waiter.s(key).set(task_id=f"{key}-a"), shop.careful.s(key).set(task_id=f"{key}-b", queue=key)
    members = group(works, waits).apply_async()
    wait_until(lambda: shop.effects(f"waiting:{key}"), "the first member works")

    for member in members.results:
        shop.app.orchestrator.run(member.id).cancel()
    serve_queue(shop, key)

    for member in members.results:
        with pytest.raises(RunCancelled):
            member.get(timeout=SECONDS)
    assert shop.effects(f"charged:{key}") == []


def test_run_ends_at_its_deadline_at_work_parked_and_in_a_queue(shop: Shop, key: str) -> None:
    at_work = shop.waiter.submit(f"{key}-1", deadline=1.0)
    parked = shop.asker.submit(f"{key}-2", deadline=1.0)
    queued = shop.careful.submit(key, queue=key, deadline=0.5)
    wait_until(lambda: shop.effects(f"waiting:{key}-2"), "the called agent works")
    [child] = parked.summary().waits.values()

    for run in (at_work, parked, shop.app.orchestrator.run(child)):
        with pytest.raises(DeadlineExceeded):
            run.result(SECONDS)

    serve_queue(shop, key)
    with pytest.raises(DeadlineExceeded):
        queued.result(SECONDS)
    assert shop.effects(f"charged:{key}") == []


def test_parked_run_is_cancelled_with_all_that_it_waits_for(shop: Shop, key: str) -> None:
    run = shop.asker.submit(key)
    wait_until(lambda: shop.effects(f"waiting:{key}"), "the called agent works")
    [child] = run.summary().waits.values()

    run.cancel()

    for cancelled in (run, shop.app.orchestrator.run(child)):
        with pytest.raises(RunCancelled):
            cancelled.result(5)


def test_cancelled_run_fails_its_chain(shop: Shop, key: str) -> None:
    result = (shop.waiter.s(key) | shop.note.s(key=key)).apply_async()
    wait_until(lambda: shop.effects(f"waiting:{key}"), "the run works")

    shop.app.orchestrator.run(result.parent.id).cancel()

    with pytest.raises(RunCancelled):
        result.get(timeout=SECONDS)
    assert shop.effects(key) == []


def test_cancelling_a_run_that_has_ended_changes_nothing(shop: Shop) -> None:
    run = shop.triage.submit("a")
    run.result(SECONDS)

    run.cancel()

    assert run.result(SECONDS) == "closed(a)"


# ---- without the agents' code -------------------------------------------------------------------

PRODUCER = """
import sys
from celery import Celery
from orchestrator import install

app = Celery("producer", broker=sys.argv[1], backend=sys.argv[1])
orchestrator = install(app)
runs = [orchestrator.submit(name, "a") for name in sys.argv[2:]]
print([run.result(20) for run in runs])
print({event.entry.worker for run in runs for event in run.events() if event.type == "invocation"})
"""


def test_process_without_the_agents_code_submits_by_name(stack: Stack) -> None:
    assert submit_elsewhere(stack, "triage", "pricer")[0] == "['closed(a)', {'item': 'a', 'cents': 100}]"


def test_agent_submitted_by_name_goes_to_its_own_queue(stack: Stack) -> None:
    assert submit_elsewhere(stack, "faraway") == ["['faraway(a)']", "{'heavy@test'}"]


def test_agent_of_this_process_can_be_submitted_by_name(shop: Shop) -> None:
    assert shop.app.orchestrator.submit("pricer", "tea").result(SECONDS) == Quote(item="tea", cents=100)


def test_handoff_goes_to_an_agent_that_only_other_workers_have(shop: Shop, stack: Stack) -> None:
    stack.start_worker("annex", app="tests.acceptance.annex_app", queues="annex")
    wait_until(lambda: is_loaded(shop, "agents.annex"), "the new worker has said what it has")

    assert shop.sender.submit("a").result(SECONDS) == "annex(a)"


def test_blocking_call_on_our_own_loop_is_refused(shop: Shop) -> None:
    async def block() -> None:
        shop.triage.submit("a")

    with pytest.raises(UserError, match="In async code use the awaitable form"):
        background.run(block())


# ---- helpers ------------------------------------------------------------------------------------


def entries(run: Run, kind: str) -> list[Any]:
    """The run's own entries of one kind, once it has ended."""
    return [event.entry for event in run.events(children=False) if event.type == kind]


def is_known(run: Run) -> bool:
    try:
        return bool(run.status())
    except RunNotFound:
        return False


def is_loaded(shop: Shop, task: str) -> bool:
    records = background.run(shop.app.orchestrator.ledger.loaded())
    return any(record.task == task for record in records)


def serve_queue(shop: Shop, queue: str) -> None:
    """Have a worker that runs consume one more queue."""
    shop.app.control.add_consumer(queue, destination=["main@test"], reply=True)


def submit_elsewhere(stack: Stack, *names: str) -> list[str]:
    """The lines that a producer in a process of its own prints."""
    done = subprocess.run(
        [sys.executable, "-c", PRODUCER, stack.url, *names],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
