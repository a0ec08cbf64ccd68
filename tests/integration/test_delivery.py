"""An outcome that Celery cannot deliver, because its server is away, stays open and is delivered again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from celery import Celery, signals
from celery.app.trace import build_tracer
from kombu.exceptions import OperationalError
from redis import ConnectionError as RedisConnectionError

from orchestrator import Agent, Flow, create_app, sequence
from orchestrator.celery.message import write_step
from orchestrator.ledger.base import Pointer
from orchestrator.loop import background
from orchestrator.settings import Settings
from orchestrator.testing import ScriptedModel, function_call

# Celery's own call, which workers do not mind.
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")

LEASE_SECONDS = 0.2
RUN_ID = "member"
GROUP_ID = "group"


@pytest.fixture
def app(valkey_url: str, namespace: str) -> Iterator[Celery]:
    """An app with agents that answer, hand over, and fail; its tasks are traced in this process."""
    settings = Settings(redis_url=valkey_url, namespace=namespace, lease_seconds=LEASE_SECONDS)
    triage, call = (ScriptedModel([function_call(name, {"input": "hi"})]) for name in ("transfer_to_closer", "writer"))
    writer: Agent[Any] = Agent(name="writer", model=ScriptedModel(["done"]))
    agents: list[Agent[Any]] = [
        Agent(name="triage", model=triage, handoffs=[Agent(name="closer", model=ScriptedModel(["closed"]))]),
        Agent(name="manager", model=call, tools=[writer.as_tool()]),
        writer,
        Agent(name="breaker", model=ScriptedModel([ValueError("no ink")])),
    ]
    options = {"global_keyprefix": f"{namespace}."}
    app = create_app(
        namespace,
        agents=agents,
        flows=[Flow("relay", sequence(writer))],
        settings=settings,
        broker_transport_options=options,
        result_backend_transport_options=options,
        result_backend_always_retry=False,
        task_track_started=True,
    )
    app.task(name="gather", shared=False)(gather)
    app.backend.set_chord_size(GROUP_ID, 1)
    yield app
    background.run(app.orchestrator.ledger.close_connections())  # type: ignore[attr-defined]
    app.backend.client.connection_pool.disconnect()
    app.close()


def gather(values: list[str]) -> list[str]:
    return values


def trace_member(app: Celery, task: str = "agents.writer") -> None:
    """Celery's tracer on the message of a chord's only member."""
    body = app.signature("gather", task_id="body")
    trace(app, task, ("hi",), {}, chord=dict(body), group=GROUP_ID, group_index=0)


def trace_next(app: Celery) -> Any:
    """The tracer on the message that is next in the queue. Returns the message."""
    message = take_sent_message(app)
    delivery_info = message.delivery_info
    trace(app, message.headers["task"], *message.payload[:2], id=message.headers["id"], delivery_info=delivery_info)
    return message


def trace_again(app: Celery) -> None:
    """The same on the message that the lapsed lease leads to."""
    pointer = background.run(wait_for_pointer(app))
    continuation = dict(pointer.continuation)
    trace(app, pointer.task, (), write_step(pointer), group=continuation.pop("group_id", None), **continuation)


def trace(app: Celery, task_name: str, args: Any, kwargs: Any, **request: Any) -> None:
    task = app.tasks[task_name]
    context = {"id": RUN_ID, "delivery_info": {}, "hostname": "here", "kwargs": kwargs, **request}
    build_tracer(task.name, task, app=app)(context["id"], args, kwargs, context)


def take_sent_message(app: Celery) -> Any:
    """The message that is next in the queue."""
    with app.connection_for_read() as connection:
        return connection.SimpleQueue("celery").queue.get(no_ack=True)


async def wait_for_pointer(app: Celery) -> Pointer:
    ledger = app.orchestrator.ledger  # type: ignore[attr-defined]
    async with asyncio.timeout(60):
        while not (pointers := await ledger.reconcile(10)):
            await asyncio.sleep(0.02)
    pointer: Pointer = pointers[0]
    return pointer


def status(app: Celery) -> str:
    status: str = background.run(app.orchestrator.ledger.summary(RUN_ID)).status  # type: ignore[attr-defined]
    return status


def is_body_sent(app: Celery) -> bool:
    message = take_sent_message(app)
    return bool(message and message.headers["id"] == "body")


def failing_once(work: Callable[..., Any], error: Exception) -> Callable[..., Any]:
    errors = [error]

    def fail_once(*args: Any, **kwargs: Any) -> Any:
        if errors:
            raise errors.pop()
        return work(*args, **kwargs)

    return fail_once


def test_run_that_is_handed_over_has_one_result_under_its_own_id(app: Celery) -> None:
    trace(app, "agents.triage", ("hi",), {})
    assert app.AsyncResult(RUN_ID).state == "STARTED"

    step = trace_next(app)

    assert (step.headers["id"], status(app)) == (f"{RUN_ID}.2", "done")
    assert (app.AsyncResult(RUN_ID).state, app.AsyncResult(RUN_ID).result) == ("SUCCESS", "closed")
    assert app.AsyncResult(f"{RUN_ID}.2").state == "PENDING"


def test_result_of_a_called_agent_goes_to_its_caller_alone(app: Celery) -> None:
    trace(app, "agents.manager", ("hi",), {})

    child = trace_next(app)

    assert child.headers["id"].startswith(f"{RUN_ID}:")
    assert app.AsyncResult(child.headers["id"]).state == "PENDING"
    assert take_sent_message(app).headers["id"] == f"{RUN_ID}.2"


def test_server_that_goes_while_a_chord_part_is_counted_does_not_fail_the_member(app: Celery) -> None:
    app.backend.on_chord_part_return = failing_once(app.backend.on_chord_part_return, RedisConnectionError("gone"))

    trace_member(app)

    assert app.AsyncResult(RUN_ID).state == "SUCCESS"
    assert status(app) == "running"
    trace_again(app)
    assert status(app) == "done"
    assert is_body_sent(app)


def test_server_that_goes_while_the_result_is_stored_leaves_the_run_open(app: Celery) -> None:
    app.backend._store_result = failing_once(app.backend._store_result, RedisConnectionError("gone"))
    app.tasks["agents.writer"].track_started = False

    trace_member(app)

    assert app.AsyncResult(RUN_ID).state == "PENDING"
    trace_again(app)
    assert app.AsyncResult(RUN_ID).state == "SUCCESS"
    assert is_body_sent(app)


def test_worker_that_cannot_say_that_it_has_started_goes_on(app: Celery) -> None:
    app.backend._store_result = failing_once(app.backend._store_result, RedisConnectionError("gone"))

    trace_member(app)

    assert app.AsyncResult(RUN_ID).state == "SUCCESS"
    assert status(app) == "done"


def test_broker_that_goes_while_the_next_task_is_sent_leaves_the_run_open(app: Celery) -> None:
    app.amqp._retry_publish = failing_once(app.amqp._retry_publish, OperationalError("gone"))

    trace(app, "agents.writer", ("hi",), {}, chain=[dict(app.signature("gather", task_id="body"))])

    assert app.AsyncResult(RUN_ID).state == "STARTED"
    assert app.AsyncResult("body").state == "PENDING"
    trace_again(app)
    assert app.AsyncResult(RUN_ID).state == "SUCCESS"
    assert is_body_sent(app)


def test_failure_that_cannot_be_counted_is_delivered_again(app: Celery) -> None:
    app.backend.on_chord_part_return = failing_once(app.backend.on_chord_part_return, RedisConnectionError("gone"))

    trace_member(app, "agents.breaker")

    assert status(app) == "running"
    trace_again(app)
    assert status(app) == "done"
    assert "no ink" in str(app.AsyncResult("body").result)


def test_claim_of_a_count_whose_answer_was_lost_is_waited_for(app: Celery) -> None:
    """Counted, but the answer did not arrive: redis-py asks again, and finds the chord claimed by itself."""
    claim = app.backend.get_key_for_group(GROUP_ID, ".c")
    app.backend.client.set(claim, "a token that nobody has")

    trace_member(app)

    assert status(app) == "running"
    app.backend.client.delete(claim)
    trace_again(app)
    assert status(app) == "done"
    assert is_body_sent(app)


# ---- a flow that ends with its last member -------------------------------------------------------


def test_flow_is_delivered_where_its_last_member_has_ended(app: Celery) -> None:
    trace_member(app, "flows.relay")
    with recording(signals.task_success) as ended:
        trace_next(app)

    assert ended == ["agents.writer", "flows.relay"]
    assert status(app) == "done"
    assert (app.AsyncResult(RUN_ID).state, app.AsyncResult(RUN_ID).result) == ("SUCCESS", "done")
    assert is_body_sent(app)


def test_flow_is_delivered_with_the_request_that_a_message_would_bring(app: Celery) -> None:
    """Result backends answer by it: `rpc://` to `reply_to`. Handlers of signals and errors look at it, too."""
    trace(app, "flows.relay", ("hi",), {}, reply_to="asker")
    requests: list[Any] = []
    keep = lambda sender, **_: requests.append(sender.request_stack.top)  # noqa: E731
    signals.task_success.connect(keep)
    trace_next(app)
    signals.task_success.disconnect(keep)

    request = requests[-1]
    assert (request.id, request.reply_to, request.correlation_id) == (f"{RUN_ID}.2", "asker", f"{RUN_ID}.2")
    assert request.delivery_info == {"exchange": "", "routing_key": "celery", "priority": None, "redelivered": False}
    assert not request.headers  # those that users have given


def test_a_users_header_is_never_taken_for_what_a_step_came_to(app: Celery) -> None:
    trace(app, "agents.writer", ("hi",), {}, performed="a header of the user's")

    assert app.AsyncResult(RUN_ID).result == "done"


def test_server_that_goes_while_a_flow_is_delivered_leaves_the_flow_open(app: Celery) -> None:
    app.backend.on_chord_part_return = failing_once(app.backend.on_chord_part_return, RedisConnectionError("gone"))
    trace_member(app, "flows.relay")

    trace_next(app)

    assert status(app) == "running"
    trace_again(app)
    assert status(app) == "done"
    assert is_body_sent(app)


def test_broker_that_goes_while_what_follows_a_flow_is_sent_leaves_the_flow_open(app: Celery) -> None:
    trace(app, "flows.relay", ("hi",), {}, chain=[dict(app.signature("gather", task_id="body"))])
    app.amqp._retry_publish = failing_once(app.amqp._retry_publish, OperationalError("gone"))

    trace_next(app)

    assert app.AsyncResult(RUN_ID).state == "STARTED"
    trace_again(app)
    assert app.AsyncResult(RUN_ID).state == "SUCCESS"
    assert is_body_sent(app)


@contextmanager
def recording(signal: Any) -> Iterator[list[str]]:
    """The names of the tasks that send it."""
    senders: list[str] = []

    def record(sender: Any, **_: Any) -> None:
        senders.append(sender.name)

    signal.connect(record)
    try:
        yield senders
    finally:
        signal.disconnect(record)
