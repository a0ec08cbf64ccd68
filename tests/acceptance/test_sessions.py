"""Conversations over many runs on real workers, with workers killed while others wait in line."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from orchestrator import Run, RunCancelled, Session, SessionBusy
from tests.acceptance.conftest import APP, impatient, replace_worker
from tests.acceptance.shop import Shop
from tests.support.model_scripts import ModelScripts
from tests.support.model_server import Reply, message, tool_call
from tests.support.stack import Process, Stack, wait_until

SECONDS = 60


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, scripts: ModelScripts) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack"), app=APP, environment={**impatient(), **scripts.environment}) as stack:
        yield stack


@pytest.fixture
def session(shop: Shop, key: str) -> Session:
    found: Session = shop.app.orchestrator.session(key)
    return found


def words(session: Session) -> list[str]:
    """What was said, in order."""
    return [_text(item["content"]) for item in session.items() if "content" in item]


def _text(content: object) -> str:
    return content if isinstance(content, str) else str(content[0]["text"])  # type: ignore[index]


def seen_by_model(scripts: ModelScripts, key: str) -> list[list[str]]:
    """The messages of each request."""
    return [[_text(item["content"]) for item in body["input"] if "content" in item] for body in scripts.asked(key)]


def test_conversation_goes_on_with_the_specialist(
    shop: Shop, session: Session, scripts: ModelScripts, worker: Process, key: str
) -> None:
    scripts.add(key, [tool_call("transfer_to_specialist")], [message("At your service.")], [message("Still here.")])
    assert session.submit(shop.triage, f"Help {key}").result(SECONDS) == "At your service."

    run = session.submit(shop.triage, "Are you there?")

    assert run.result(SECONDS) == "Still here."
    assert run.summary().agent == session.active_agent == "specialist"
    assert seen_by_model(scripts, key)[-1] == [f"Help {key}", "At your service.", "Are you there?"]


def test_run_behind_one_whose_worker_is_killed_has_its_turn_and_nothing_is_said_twice(
    shop: Shop, stack: Stack, session: Session, scripts: ModelScripts, worker: Process, key: str
) -> None:
    scripts.add(key, Reply(items=[], delay_seconds=30), [message("one")], [message("two")])
    first = session.submit(shop.echo, f"first {key}")
    second = session.submit(shop.echo, "second")
    wait_until(lambda: len(scripts.asked(key)) == 1, "the first is at work")
    assert second.status() == "parked"

    replace_worker(stack, worker)

    assert (first.result(SECONDS), second.result(SECONDS)) == ("one", "two")
    assert words(session) == [f"first {key}", "one", "second", "two"]
    assert seen_by_model(scripts, key)[-1] == [f"first {key}", "one", "second"]


def test_many_at_once_do_not_interleave_although_a_worker_is_killed(
    shop: Shop, stack: Stack, session: Session, scripts: ModelScripts, worker: Process, key: str
) -> None:
    scripts.add(key, Reply(items=[message("yes")], delay_seconds=0.2))
    runs: list[Run] = []

    def say(number: int) -> None:
        runs.append(session.submit(shop.echo, f"{key} {number}"))

    threads = [threading.Thread(target=say, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    wait_until(lambda: len(scripts.asked(key)) >= 3, "some have had their turn")

    replace_worker(stack, worker)

    assert [run.result(2 * SECONDS) for run in runs] == ["yes"] * 8
    said = words(session)
    assert said[1::2] == ["yes"] * 8
    assert sorted(said[::2]) == sorted(f"{key} {number}" for number in range(8))
    assert session.summary().line == []  # type: ignore[union-attr]


def test_interrupting_message_ends_the_run_at_work(
    shop: Shop, session: Session, scripts: ModelScripts, worker: Process, key: str
) -> None:
    scripts.add(key, Reply(items=[], delay_seconds=30), [message("now")])
    first = session.submit(shop.echo, f"first {key}")
    wait_until(lambda: len(scripts.asked(key)) == 1, "the first is at work")
    with pytest.raises(SessionBusy, match=first.id):
        session.submit(shop.echo, "no", if_busy="reject")

    second = session.submit(shop.echo, "second", if_busy="interrupt")

    assert second.result(SECONDS) == "now"
    with pytest.raises(RunCancelled):
        first.result(SECONDS)
    assert words(session) == [f"first {key}", "second", "now"]


def test_waiting_run_can_be_cancelled(
    shop: Shop, session: Session, scripts: ModelScripts, worker: Process, key: str
) -> None:
    scripts.add(key, [tool_call("wait_for_flag", {"input": key})], [message("one")], [message("three")])
    runs = [session.submit(shop.waiter, f"{key} {number}") for number in range(3)]

    runs[1].cancel()

    with pytest.raises(RunCancelled):
        runs[1].result(SECONDS)
    shop.set_flag(key)
    assert [runs[0].result(SECONDS), runs[2].result(SECONDS)] == ["one", "three"]
    assert words(session) == [f"{key} 0", "one", f"{key} 2", "three"]
