"""Messages that no worker can use are refused, or left to newer workers."""

from __future__ import annotations

import base64
import json
import os
import pickle
import time
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import chain

from orchestrator.errors import MessageError
from tests.acceptance.bad_input.conftest import SECONDS
from tests.acceptance.shop import Shop
from tests.support.stack import Process, wait_until

# ---- messages -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "kwargs", "problem"),
    [
        ([], {}, "input: Field required"),
        ([], {"inptu": "a"}, "inptu: Extra inputs"),
        (["a", "b"], {}, "takes one input, but was given 2"),
        (["a"], {"max_turns": "many"}, "max_turns"),
        ([], {"run": {"id": 5}}, "not ours"),
        ([], {"run": "junk"}, "not ours"),
    ],
)
def test_arguments_that_are_not_ours_fail_their_task(
    shop: Shop, args: list[Any], kwargs: dict[str, Any], problem: str
) -> None:
    result = shop.app.send_task("agents.triage", args=args, kwargs=kwargs)

    with pytest.raises(MessageError, match=f"Task `agents.triage` .*{problem}"):
        result.get(timeout=SECONDS)


def test_later_link_without_an_input_fails_its_own_task_and_not_the_one_before_it(shop: Shop) -> None:
    result = chain(shop.mark.s("a"), shop.triage.si(), shop.mark.s()).apply_async()

    with pytest.raises(MessageError, match=r"Task `agents.triage` .*input: Field required"):
        result.get(timeout=SECONDS)
    assert result.parent.parent.get(timeout=SECONDS) == "mark(a)"


@pytest.mark.parametrize(
    "body", ["junk", "[1, 2]", '{"hello": "world"}', '[[], {"run": {"v": 1}}, {}]', '["a", "b", "c"]']
)
def test_body_that_is_no_tasks_does_not_stop_the_worker(
    shop: Shop, server: redis.Redis, worker: Process, key: str, body: str
) -> None:
    push(server, key, body.encode(), "application/json")

    assert shop.triage.submit("next").result(SECONDS) == "closed(next)"
    assert worker.is_running


def test_message_without_a_task_does_not_stop_the_worker(shop: Shop, server: redis.Redis, worker: Process) -> None:
    push(server, "no-task", b"{}", "application/json", headers={})

    worker.wait_for_log("Received and deleted unknown message")
    assert shop.triage.submit("next").result(SECONDS) == "closed(next)"


@pytest.mark.parametrize("item", ["\x00\x01 junk", "[1, 2]", '{"hello": "world"}'])
def test_junk_in_place_of_a_message_does_not_stop_the_worker(
    shop: Shop, server: redis.Redis, worker: Process, item: str
) -> None:
    server.lpush("celery", item)

    assert shop.triage.submit("next").result(SECONDS) == "closed(next)"
    assert worker.is_running


def test_pickled_message_is_not_unpickled(
    shop: Shop, server: redis.Redis, worker: Process, key: str, tmp_path: Path
) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "unpickled"),)

    push(server, key, pickle.dumps(([Bomb()], {}, {})), "application/x-python-serialize")

    worker.wait_for_log("content of type pickle (application/x-python-serialize)")
    assert shop.triage.submit("next").result(SECONDS) == "closed(next)"
    assert not (tmp_path / "unpickled").exists()


def push(
    server: redis.Redis, key: str, body: bytes, content_type: str, *, headers: dict[str, Any] | None = None
) -> None:
    """Put a message into the queue as kombu would, whatever its body."""
    task = {"lang": "py", "task": "agents.triage", "id": key, "root_id": key, "argsrepr": "", "kwargsrepr": ""}
    properties = {
        "correlation_id": key,
        "delivery_tag": key,
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": "celery"},
        "priority": 0,
        "body_encoding": "base64",
    }
    message = {
        "body": base64.b64encode(body).decode(),
        "content-encoding": "binary" if "pickle" in content_type or "serialize" in content_type else "utf-8",
        "content-type": content_type,
        "headers": task if headers is None else headers,
        "properties": properties,
    }
    server.lpush("celery", json.dumps(message))


# ---- newer versions -----------------------------------------------------------------------------


def test_newer_message_is_left_to_newer_workers(shop: Shop, worker: Process, key: str) -> None:
    run = shop.triage.submit("a", run_id=key, queue=key)

    pointer = {"run": {"v": 99, "id": key, "step": 1, "colour": "green"}}
    shop.app.send_task("agents.triage", kwargs=pointer, task_id=key)

    worker.wait_for_log("got a message of version 99, this worker reads up to 1. Upgrade celery-orchestrator")
    assert run.status() == "queued"
    assert not shop.app.AsyncResult(key).ready()
    shop.app.control.add_consumer(key, destination=["main@test"], reply=True)
    assert run.result(SECONDS) == "closed(a)"


def test_newer_ledger_entry_is_left_to_newer_workers(
    shop: Shop, server: redis.Redis, worker: Process, key: str
) -> None:
    run = shop.triage.submit("a", run_id=key, queue=key)
    entry = server.xadd(f"orchestrator:log:{{{key}}}:{key}", {"e": '{"v":99,"type":"dream","of":"sheep"}'})

    shop.app.control.add_consumer(key, destination=["main@test"], reply=True)

    worker.wait_for_log(f"Run `{key}` has an entry of version 99, this process reads up to 1. Upgrade")
    time.sleep(1.5)  # more than a grace: the step is published again, and left again
    summary = run.summary()
    assert (summary.status, summary.tries, summary.outcome) == ("queued", 0, None)
    assert not shop.app.AsyncResult(key).ready()
    server.xdel(f"orchestrator:log:{{{key}}}:{key}", entry)  # as if a newer worker had dealt with it
    assert run.result(SECONDS) == "closed(a)"


def test_ledger_entry_that_is_not_ours_fails_its_run_alone(shop: Shop, server: redis.Redis, key: str) -> None:
    run = shop.triage.submit("a", run_id=key, queue=key)
    server.xadd(f"orchestrator:log:{{{key}}}:{key}", {"e": "graffiti"})
    server.hincrby(f"orchestrator:run:{{{key}}}:{key}", "size", 1)

    shop.app.control.add_consumer(key, destination=["main@test"], reply=True)

    wait_until(lambda: run.status() == "done", "the run has ended")
    outcome = run.summary().outcome
    assert outcome is not None
    assert "not ours: 'graffiti'" in outcome.error["message"]
    with pytest.raises(MessageError, match="graffiti"):
        shop.app.AsyncResult(key).get(timeout=SECONDS)
