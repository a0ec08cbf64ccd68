"""What is wrong is refused with an error of the right class, which names the thing and the remedy; workers live on."""

from __future__ import annotations

import base64
import json
import os
import pickle
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import chain

from orchestrator import Agent, create_app, function_tool
from orchestrator.errors import (
    AgentNotLoaded,
    ContextNotSerializable,
    DuplicateName,
    InputTooLarge,
    InvalidInput,
    LedgerFull,
    LedgerUnavailable,
    MaxTurnsExceeded,
    MessageError,
    ModelBehaviorError,
    ModelRefusalError,
    ModelRequestRejected,
    ModelUnavailable,
    NotInstalled,
    RunFailed,
)
from orchestrator.ledger.base import AgentRecord
from orchestrator.loop import background
from orchestrator.settings import Settings
from tests.acceptance.conftest import APP, impatient
from tests.acceptance.shop import Quote, Shop
from tests.support.model_scripts import ModelScripts
from tests.support.model_server import Reply, error, message, refusal, tool_call
from tests.support.stack import Process, Stack, wait_until

SECONDS = 30
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, scripts: ModelScripts) -> Iterator[Stack]:
    """Workers that ask a model's server, and soon give up; leases are short."""
    short = {"ORCHESTRATOR_MODEL_TIMEOUT_SECONDS": "1", "ORCHESTRATOR_MODEL_MAX_RETRIES": "1"}
    with Stack(tmp_path_factory.mktemp("stack"), app=APP, environment={**impatient(2), **short}) as stack:
        model = stack.start_worker("model", queues="model", environment=scripts.environment, wait=False)
        stack.start_worker("main")
        model.wait_for_log("ready.")
        yield stack


@pytest.fixture
def worker(stack: Stack) -> Process:
    """The worker of the queue `celery`."""
    return stack.processes[1]


@pytest.fixture
def server(stack: Stack) -> Iterator[redis.Redis]:
    """A connection to the stack's Valkey."""
    with redis.Redis.from_url(stack.url, decode_responses=True) as connection:
        yield connection


@pytest.fixture(autouse=True)
def still_works(shop: Shop) -> Iterator[None]:
    """Whatever a test did: the worker serves the next one."""
    yield
    assert shop.triage.submit("and now?").result(SECONDS) == "closed(and now?)"


def ask(shop: Shop, agent: str, text: str, **options: Any) -> Any:
    """The answer of an agent that asks the scripted model."""
    return shop.agents[agent].submit(text, queue="model", **options).result(SECONDS)


# ---- names --------------------------------------------------------------------------------------


def test_submit_to_a_name_that_no_worker_knows_suggests_the_right_one(shop: Shop) -> None:
    with pytest.raises(AgentNotLoaded, match=r"submitted to `triag`, which no worker has loaded.*mean `triage`\?"):
        shop.app.orchestrator.submit("triag", "hello")


def test_submit_to_a_new_name_is_queued_where_a_queue_is_given(shop: Shop, key: str) -> None:
    run = shop.app.orchestrator.submit("newcomer", "hello", queue=key)

    assert run.status() == "queued"


def test_handoff_to_a_name_that_nobody_has_says_what_to_do(shop: Shop) -> None:
    with pytest.raises(AgentNotLoaded) as caught:
        shop.lost.submit("hello").result(SECONDS)

    assert "Agent `lost` hands off to `packr`, which no worker has loaded" in caught.value.message
    assert (
        "Add the module that defines it to the modules of your app's install() or create_app()" in caught.value.message
    )
    assert "Did you mean `packer`?" in caught.value.message


def test_handoff_to_an_agent_whose_worker_is_gone_names_the_module_to_load(shop: Shop) -> None:
    gone = AgentRecord("agents.gone", "shop.attic", None, "attic@test", seen_at=time.time() - 60)
    background.run(shop.app.orchestrator.ledger.announce([gone], expire_seconds=30))

    with pytest.raises(
        AgentNotLoaded, match=r"hands off to `gone`.*attic@test, gone now.*`shop\.attic`: start a worker"
    ):
        shop.stranded.submit("hello").result(SECONDS)


def test_task_that_no_worker_has_leaves_the_worker_alive(shop: Shop, worker: Process) -> None:
    shop.app.send_task("agents.nobody", args=["hello"])

    worker.wait_for_log("Received unregistered task of type 'agents.nobody'")


def test_two_agents_with_one_name_are_refused_at_once() -> None:
    with pytest.raises(DuplicateName, match=r"Two different agents are called `twin`.*rename one, or pass the same"):
        create_app("twins", agents=[Agent("twin"), Agent("twin")])


def test_two_queued_tools_with_one_name_are_refused_at_once() -> None:
    def tool() -> Any:
        return function_tool(name_override="sort", queue="heavy")(lambda: "sorted")

    with pytest.raises(DuplicateName, match=r"tools with a queue are called `sort`, one of them at agent `second`"):
        create_app("twins", agents=[Agent("first", tools=[tool()]), Agent("second", tools=[tool()])])


def test_agent_without_an_app_says_how_to_get_one() -> None:
    with pytest.raises(NotInstalled, match=r"Agent `loner` belongs to no Celery app yet\. Call install\(app"):
        Agent("loner").submit("hello")


# ---- what models do wrong -----------------------------------------------------------------------


@pytest.mark.parametrize("arguments", ['{"item": "tea", ', "[1]", '{"item": "tea", "count": 0}', '{"item": "tea"}'])
def test_model_is_told_of_arguments_that_do_not_fit(
    shop: Shop, scripts: ModelScripts, key: str, arguments: str
) -> None:
    scripts.add(key, [tool_call("count_out", arguments)], [message("sorry")])

    assert ask(shop, "clerk", key) == "sorry"
    told = scripts.asked(key)[1]["input"][-1]
    assert told["type"] == "function_call_output"
    assert "error" in told["output"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [('{"item": "tea", ', "JSON"), ("[1]", "expected a JSON object"), ('{"item": "tea", "count": 0}', "count")],
)
def test_arguments_that_do_not_fit_end_a_run_whose_tool_says_so(
    shop: Shop, scripts: ModelScripts, key: str, arguments: str, problem: str
) -> None:
    scripts.add(key, [tool_call("count_strictly", arguments)])

    with pytest.raises(ModelBehaviorError, match=f"Invalid JSON input for tool count_strictly.*{problem}"):
        ask(shop, "strict_clerk", key)


@pytest.mark.parametrize("output", ["some tea", '{"item": "tea"}', '{"item": "tea", "cents": "many"}'])
def test_output_that_does_not_fit_its_type_names_agent_and_type(
    shop: Shop, scripts: ModelScripts, key: str, output: str
) -> None:
    scripts.add(key, [message(output)])

    with pytest.raises(RunFailed, match="output of agent `pricer` is no valid Quote") as caught:
        ask(shop, "pricer", key)
    assert caught.value.error_type == "ModelBehaviorError"


def test_unknown_tool_is_named_with_those_that_exist(shop: Shop, scripts: ModelScripts, key: str) -> None:
    scripts.add(key, [tool_call("give_away", {})])

    with pytest.raises(ModelBehaviorError, match=r"agent `clerk` called `give_away`, which .*It has: count_out\."):
        ask(shop, "clerk", key)


def test_model_can_be_told_of_an_unknown_tool_instead(shop: Shop, scripts: ModelScripts, key: str) -> None:
    scripts.add(key, [tool_call("give_away", {})], [message("sorry")])

    assert ask(shop, "clerk", key, run_options={"tool_not_found_behavior": "return_error_to_model"}) == "sorry"
    assert "'give_away' not found" in scripts.asked(key)[1]["input"][-1]["output"]


@pytest.mark.parametrize("body", ["<html>Oops</html>", "[]", '"tea"', ""])
def test_garbage_in_place_of_a_reply_is_shown(shop: Shop, scripts: ModelScripts, key: str, body: str) -> None:
    scripts.add(key, Reply(body=body))

    with pytest.raises(ModelBehaviorError, match=r"Model `test-model` at 127\.0\.0\.1:.* no JSON") as caught:
        ask(shop, "echo", key)
    assert (body or "nothing") in caught.value.message


def test_json_that_is_no_reply_is_garbage_too(shop: Shop, scripts: ModelScripts, key: str) -> None:
    scripts.add(key, Reply(body={"hello": "world"}))

    with pytest.raises(ModelBehaviorError, match="Model `test-model`"):
        ask(shop, "echo", key)


def test_refusal_is_an_error_with_the_models_words(shop: Shop, scripts: ModelScripts, key: str) -> None:
    scripts.add(key, [refusal("I would rather not.")])

    with pytest.raises(ModelRefusalError, match="agent `echo` refused: I would rather not"):
        ask(shop, "echo", key)


# ---- what models' servers do wrong --------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind", "remedy"),
    [
        (400, ModelRequestRejected, "Trying again will not help"),
        (401, ModelRequestRejected, "Set OPENAI_API_KEY"),
        (403, ModelRequestRejected, "use another key or model"),
        (404, ModelRequestRejected, "try ORCHESTRATOR_MODEL_API=chat"),
        (429, ModelUnavailable, "The server limits the rate"),
        (500, ModelUnavailable, "Submit again later"),
        (503, ModelUnavailable, "Submit again later"),
    ],
)
def test_status_of_the_models_server_decides_class_and_remedy(
    shop: Shop, scripts: ModelScripts, key: str, status: int, kind: type[RunFailed], remedy: str
) -> None:
    scripts.add(key, error(status, "no such luck", headers={"retry-after-ms": "10"}))

    with pytest.raises(kind, match=f"answered {status}: no such luck.*{remedy}") as caught:
        ask(shop, "echo", key)
    assert caught.value.data["status"] == status
    assert len(scripts.asked(key)) == (2 if kind is ModelUnavailable else 1)


def test_retry_after_is_honoured(shop: Shop, scripts: ModelScripts, key: str) -> None:
    scripts.add(key, error(429, headers={"retry-after": "1"}), [message("at last")])
    began = time.monotonic()

    assert ask(shop, "echo", key) == "at last"
    assert time.monotonic() - began >= 1


def test_silent_server_is_given_up(shop: Shop, scripts: ModelScripts, key: str) -> None:
    scripts.add(key, Reply(items=[message("too late")], delay_seconds=5))

    with pytest.raises(ModelUnavailable, match=r"did not answer in time\. Raise ORCHESTRATOR_MODEL_TIMEOUT_SECONDS"):
        ask(shop, "echo", key)


@pytest.mark.parametrize("drop", ["before", "middle"])
def test_broken_connection_is_named(shop: Shop, scripts: ModelScripts, key: str, drop: Any) -> None:
    scripts.add(key, Reply(items=[message("half of it")], drop=drop))

    with pytest.raises(ModelUnavailable, match=r"Model `test-model` at 127\.0\.0\.1"):
        ask(shop, "echo", key)


# ---- runs without end ---------------------------------------------------------------------------


@pytest.mark.parametrize("turns", [None, 4])
def test_handoffs_in_a_circle_end_at_the_turn_limit(shop: Shop, turns: int | None) -> None:
    options = {} if turns is None else {"max_turns": turns}

    run = shop.looper.submit("round", **options)

    with pytest.raises(MaxTurnsExceeded, match=f"{turns or 10} turns"):
        run.result(SECONDS)
    assert run.summary().step == (turns or 10) + 1


def test_turn_limit_reaches_a_canvas_task(shop: Shop) -> None:
    with pytest.raises(MaxTurnsExceeded, match="3 turns"):
        shop.looper.s("round", max_turns=3).apply_async().get(timeout=SECONDS)


# ---- inputs and contexts ------------------------------------------------------------------------


def test_input_of_ten_megabytes_is_refused_at_submit(shop: Shop) -> None:
    with pytest.raises(
        InputTooLarge, match=r"input for agent `echo` has 10,000,\d+ bytes.*ORCHESTRATOR_MAX_INPUT_BYTES"
    ):
        shop.echo.submit("x" * 10 * MEGABYTE)


def test_context_of_ten_megabytes_is_refused_at_submit(shop: Shop) -> None:
    with pytest.raises(InputTooLarge, match=r"context for agent `echo` has 10,000,\d+ bytes"):
        shop.echo.submit("a", context={"text": "x" * 10 * MEGABYTE})


def test_input_of_ten_megabytes_in_the_canvas_fails_its_task(shop: Shop) -> None:
    with pytest.raises(InputTooLarge, match="input for agent `echo` has 10,000"):
        chain(shop.mark.s("x" * 10 * MEGABYTE), shop.echo.s()).apply_async().get(timeout=SECONDS)


@pytest.mark.parametrize("given", [object(), None, {1, object()}])
def test_input_that_is_no_json_is_refused(shop: Shop, given: Any) -> None:
    with pytest.raises(InvalidInput, match="text, a list of items or a JSON value"):
        shop.echo.submit(given)


def test_context_that_cannot_be_serialised_is_refused(shop: Shop) -> None:
    with pytest.raises(
        ContextNotSerializable, match=r"agent `echo` cannot be written as JSON.*ctx\.resource\(factory\)"
    ):
        shop.echo.submit("a", context={"connection": object()})


def test_context_that_is_no_object_is_refused(shop: Shop) -> None:
    with pytest.raises(ContextNotSerializable, match="is a list; it must be an object or a dict"):
        shop.echo.submit("a", context=["milk"])


def test_context_of_another_type_is_refused(shop: Shop) -> None:
    with pytest.raises(ContextNotSerializable, match="`shopper` works with a Basket as context, not with a Quote"):
        shop.shopper.submit("a", context=Quote(item="tea", cents=1))


def test_context_that_does_not_fit_its_type_is_named_by_its_fields(shop: Shop) -> None:
    with pytest.raises(ContextNotSerializable, match="`shopper` is no Basket: `customer`: Field required; `items`"):
        shop.shopper.submit("a", context={"items": 5})


def test_options_that_are_none_are_refused(shop: Shop) -> None:
    with pytest.raises(InvalidInput, match=r"run's options are not valid.*max_turns"):
        shop.echo.submit("a", max_turns=-1)
    with pytest.raises(InvalidInput, match=r"run's options are not valid.*modle"):
        shop.echo.submit("a", run_options={"modle": "x"})


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


# ---- the ledger's server ------------------------------------------------------------------------


def test_absent_server_is_named_within_seconds() -> None:
    agent = Agent("nowhere")
    create_app("nowhere", agents=[agent], settings=Settings(redis_url="redis://127.0.0.1:1/0"))
    began = time.monotonic()

    with pytest.raises(
        LedgerUnavailable, match=r"127\.0\.0\.1:1/0 cannot be reached\. Start one with `orchestrator up`"
    ):
        agent.submit("hello")
    assert time.monotonic() - began < 12


def test_full_server_is_named(shop: Shop, server: redis.Redis) -> None:
    server.config_set("maxmemory", 1)
    try:
        with pytest.raises(LedgerFull, match=r"has no memory left\. Raise its `maxmemory`"):
            shop.triage.submit("a")
    finally:
        server.config_set("maxmemory", 0)


def test_run_under_way_outlasts_a_full_server(shop: Shop, scripts: ModelScripts, server: redis.Redis, key: str) -> None:
    scripts.add(key, Reply(items=[message("late")], delay_seconds=0.6))
    run = shop.echo.submit(key, queue="model")
    wait_until(lambda: scripts.asked(key), "the model is asked")

    server.config_set("maxmemory", 1)
    time.sleep(1.2)
    server.config_set("maxmemory", 0)

    assert run.result(SECONDS) == "late"
