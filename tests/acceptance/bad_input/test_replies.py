"""What models and their servers do wrong ends a run with an error that names it, or is told to the model."""

from __future__ import annotations

import time
from typing import Any

import pytest

from orchestrator.errors import (
    MaxTurnsExceeded,
    ModelBehaviorError,
    ModelRefusalError,
    ModelRequestRejected,
    ModelUnavailable,
    RunFailed,
)
from tests.acceptance.bad_input.conftest import SECONDS, ask
from tests.acceptance.shop import Shop
from tests.support.model_scripts import ModelScripts
from tests.support.model_server import Reply, error, message, refusal, tool_call

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
    scripts.add(key, Reply(items=[message("too late")], delay_seconds=30))

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
