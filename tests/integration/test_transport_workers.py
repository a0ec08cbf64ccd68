"""The transport under real Celery workers that are killed, paused, stopped and cut off from their broker."""

from __future__ import annotations

import json
import os
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import redis
from celery import Celery

from tests.integration.transport_app import build_app
from tests.support.stack import Process, Stack, wait_until, wait_until_on_disk

APP = "tests.integration.transport_app"
LEASE_SECONDS = 6.0
"""Of the workers. One that is starved of CPU keeps its lease, too."""
CALLS_A_SECOND = 10


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack"), app=APP) as stack:
        yield stack


@pytest.fixture
def queue() -> str:
    """A queue that no other test's workers take from; its marks and flags have this name, too."""
    return f"q{uuid.uuid4().hex[:8]}"


@pytest.fixture
def server(stack: Stack) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(stack.url, decode_responses=True) as client:
        yield client


@pytest.fixture
def app(stack: Stack) -> Iterator[Celery]:
    """The producer's side."""
    with build_app(stack.url, lease_seconds=LEASE_SECONDS) as app:
        yield app


@pytest.fixture
def workers(stack: Stack, queue: str) -> Iterator[Any]:
    """Starts workers of the queue, and ends them after the test."""
    started: list[Process] = []

    def start(
        *names: str,
        concurrency: int = 2,
        lease_seconds: float = LEASE_SECONDS,
        environment: dict[str, str] | None = None,
        **options: Any,
    ) -> list[Process]:
        new = [
            stack.start_worker(
                f"{name}-{queue}",
                queues=queue,
                concurrency=concurrency,
                wait=False,
                environment={"TEST_LEASE_SECONDS": str(lease_seconds), **(environment or {})},
                **options,
            )
            for name in names
        ]
        started.extend(new)
        for process in new:
            process.wait_for_log("ready.")
        return new

    yield start
    for process in started:
        process.kill()


def send(app: Celery, queue: str, **options: Any) -> None:
    app.send_task("work", kwargs={"key": queue, **options}, queue=queue)


def marks(server: redis.Redis, kind: str, queue: str) -> list[str]:
    """Who began or ended the work, in order: a worker's name, and whether it came again."""
    return [mark.replace(f"-{queue}@test", "") for mark in server.lrange(f"{kind}:{queue}", 0, -1)]


def unacked(server: redis.Redis) -> int:
    return sum(server.hlen(key) for key in server.scan_iter("_leases.unacked.*"))


def queue_lengths(flower_url: str) -> dict[str, int]:
    with urlopen(f"{flower_url}/api/queues/length", timeout=60) as response:
        return {row["name"]: row["messages"] for row in json.load(response)["active_queues"]}


# ---- a worker dies ------------------------------------------------------------------------------


@pytest.mark.parametrize("pool", ["threads", "processes"])
def test_killed_workers_messages_come_back_at_once_on_the_same_machine(
    app: Celery, server: redis.Redis, queue: str, workers: Any, pool: str
) -> None:
    lease_seconds = 120.0  # long: what comes back soon does not come back because it has lapsed
    [first] = workers("first", concurrency=2, pool=pool, lease_seconds=lease_seconds)
    for _ in range(2):
        send(app, queue, flag=queue)
    send(app, queue)  # prefetched, or in the queue
    app.send_task("work", kwargs={"key": queue}, queue=queue, countdown=1)
    wait_until(lambda: marks(server, "began", queue) == ["first"] * 2, "both have begun")
    workers("second", concurrency=8, lease_seconds=lease_seconds)

    first.kill()
    killed_at = time.monotonic()
    wait_until(lambda: marks(server, "began", queue).count("second again") >= 2, "they have begun again")
    assert time.monotonic() - killed_at < lease_seconds / 2
    server.set(f"flag:{queue}", 1)

    wait_until(lambda: len(marks(server, "ended", queue)) == 4, "all four have ended")
    wait_until(lambda: unacked(server) == 0, "all are acknowledged")


def test_paused_workers_messages_go_to_another_and_stay_there(
    app: Celery, server: redis.Redis, queue: str, workers: Any
) -> None:
    first, second = workers("first")[0], None
    send(app, queue, flag=queue)
    wait_until(lambda: marks(server, "began", queue) == ["first"], "it has begun")
    [second] = workers("second", concurrency=1)

    os.killpg(first.pid, signal.SIGSTOP)
    paused_at = time.monotonic()
    wait_until(lambda: marks(server, "began", queue) == ["first", "second again"], "another has it")
    assert time.monotonic() - paused_at > LEASE_SECONDS / 2
    os.killpg(second.pid, signal.SIGSTOP)  # in its turn, while the first goes on and ends the task
    server.set(f"flag:{queue}", 1)
    os.killpg(first.pid, signal.SIGCONT)
    wait_until(lambda: "first" in marks(server, "ended", queue), "the paused one has ended its task")

    # Its acknowledgement did not count: the second's copy is still the second's, until that one's lease lapses.
    wait_until(lambda: "first again" in marks(server, "ended", queue), "the copy came back to the first")
    send(app, queue)
    wait_until(lambda: len(marks(server, "ended", queue)) >= 3, "the first takes new messages")
    os.killpg(second.pid, signal.SIGCONT)
    wait_until(lambda: unacked(server) == 0, "all are acknowledged")


def test_task_longer_than_the_lease_runs_once(app: Celery, server: redis.Redis, queue: str, workers: Any) -> None:
    workers("first", "second")

    send(app, queue, seconds=1.7 * LEASE_SECONDS)
    wait_until(lambda: marks(server, "ended", queue), "it has ended")

    assert len(marks(server, "began", queue)) == 1
    wait_until(lambda: unacked(server) == 0, "it is acknowledged")


# ---- a worker stops -----------------------------------------------------------------------------


def test_stopped_worker_puts_back_what_it_has_not_begun_and_leaves_no_keys(
    app: Celery, server: redis.Redis, queue: str, workers: Any
) -> None:
    [first] = workers("first", concurrency=1)
    for _ in range(3):
        app.send_task("work", kwargs={"key": queue}, queue=queue, countdown=60)
    wait_until(lambda: unacked(server) == 3, "they wait in the worker")
    send(app, queue, seconds=1)
    wait_until(lambda: marks(server, "began", queue), "another one has begun")

    first.stop()

    assert marks(server, "ended", queue) == ["first"]
    assert server.llen(queue) == 3
    assert [key for key in server.scan_iter("_leases*") if server.ttl(key) == -1] == []


# ---- the broker stops ---------------------------------------------------------------------------


def test_restart_of_the_broker_repeats_nothing(
    app: Celery, server: redis.Redis, stack: Stack, queue: str, workers: Any
) -> None:
    workers("first", concurrency=4)
    for _ in range(3):
        send(app, queue, flag=queue)
    app.send_task("work", kwargs={"key": queue}, queue=queue, countdown=12)
    wait_until(lambda: len(marks(server, "began", queue)) == 3 and unacked(server) == 4, "they have begun")
    wait_until_on_disk(stack.url)

    stack.valkey.kill()
    time.sleep(0.5)
    stack.valkey.start()
    server.set(f"flag:{queue}", 1)
    send(app, queue)

    wait_until(lambda: len(marks(server, "ended", queue)) == 5, "all have ended")
    wait_until(lambda: unacked(server) == 0, "all are acknowledged")
    assert marks(server, "began", queue)[:3] == ["first"] * 3
    assert len(marks(server, "began", queue)) == 5


# ---- what people see ----------------------------------------------------------------------------


def test_inspect_and_flower_work(app: Celery, server: redis.Redis, stack: Stack, queue: str, workers: Any) -> None:
    workers("first", concurrency=1)
    name = f"first-{queue}@test"
    for _ in range(5):
        send(app, queue, flag=queue)
    wait_until(lambda: marks(server, "began", queue), "it has begun")

    inspect = app.control.inspect([name], timeout=60)
    assert inspect.ping() == {name: {"ok": "pong"}}
    assert [request["name"] for request in inspect.active()[name]] == ["work"]
    broker = inspect.stats()[name]["broker"]
    assert (broker["transport"], broker["port"]) == ("redis", stack.valkey.port)

    stack.start_flower()
    lengths = wait_until(
        lambda: (found := queue_lengths(stack.flower_url)).get(queue) and found, "Flower knows the queue"
    )
    # One runs; with a multiplier of 1, none waits in the worker.
    assert lengths[queue] == server.llen(queue) == 4
    server.set(f"flag:{queue}", 1)
    wait_until(lambda: len(marks(server, "ended", queue)) == 5, "all have ended")


def test_idle_worker_asks_the_broker_little(server: redis.Redis, workers: Any) -> None:
    workers("first", lease_seconds=10)

    # At first it may still start, and put in order what killed workers left.
    wait_until(lambda: calls_a_second(server, seconds=6.0) < CALLS_A_SECOND, "it has asked little for a while")


def calls_a_second(server: redis.Redis, *, seconds: float) -> float:
    """How many commands the server gets from now on, for a while."""
    before, asked_at = server.info("commandstats"), time.monotonic()
    time.sleep(seconds)
    after, took = server.info("commandstats"), time.monotonic() - asked_at
    return float(sum(stat["calls"] - before.get(name, {"calls": 0})["calls"] for name, stat in after.items()) / took)


@pytest.mark.parametrize("transport", ["ours", "kombu's"])
def test_no_op_tasks_report_what_they_cost(
    app: Celery, server: redis.Redis, queue: str, workers: Any, transport: str, record_property: Any
) -> None:
    tasks = 500
    stock = {"TEST_STOCK": "1"} if transport == "kombu's" else {}
    [worker] = workers("first", pool="solo", lease_seconds=10, environment=stock)
    busy = f"{queue}-busy"
    for _ in range(tasks):
        app.send_task("noop", queue=busy)
    before = cpu_seconds(worker.pid)

    app.control.add_consumer(busy, destination=[f"first-{queue}@test"])
    wait_until(lambda: server.llen(busy) == 0 and unacked(server) == server.hlen("unacked") == 0, "all are done")

    milliseconds = 1000 * (cpu_seconds(worker.pid) - before) / tasks
    record_property("milliseconds_of_worker_cpu_a_task", milliseconds)
    print(f"{transport}: {milliseconds:.2f} ms of a worker's CPU a no-op task")


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
