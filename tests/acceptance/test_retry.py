"""Failed runs are run again on real workers, from the turn that is named."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from celery import chain

from orchestrator import Run
from orchestrator.errors import MaxTurnsExceeded
from tests.acceptance.conftest import APP, impatient, replace_worker
from tests.acceptance.shop import Shop
from tests.support.model_scripts import ModelScripts
from tests.support.model_server import message, tool_call
from tests.support.stack import Process, Stack, wait_until

SECONDS = 60


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, scripts: ModelScripts) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack"), app=APP, environment={**impatient(), **scripts.environment}) as stack:
        yield stack


def fail_after_a_turn(shop: Shop, key: str) -> Run:
    """A run that has charged and was not allowed to go on."""
    run: Run = shop.careful.submit(key, max_turns=1)
    with pytest.raises(MaxTurnsExceeded):
        run.result(SECONDS)
    return run


def charge(key: str) -> list[dict[str, object]]:
    return [tool_call("charge", {"input": key})]


def test_what_had_ended_is_not_done_again(shop: Shop, worker: Process, scripts: ModelScripts, key: str) -> None:
    scripts.add(key, charge(key), [message("done")])
    run = fail_after_a_turn(shop, key)

    again = run.retry(max_turns=5)

    assert again.result(SECONDS) == "done"
    assert shop.effects(f"charged:{key}") == ["charged"]
    assert len(scripts.asked(key)) == 2
    assert (again.summary().retry_of, run.summary().retried_by) == (run.id, again.id)


def test_retry_from_the_input_does_all_again(shop: Shop, worker: Process, scripts: ModelScripts, key: str) -> None:
    scripts.add(key, charge(key), charge(key), [message("done")])
    run = fail_after_a_turn(shop, key)

    again = run.retry(0, max_turns=5)

    assert again.result(SECONDS) == "done"
    assert shop.effects(f"charged:{key}") == ["charged", "charged"]


def test_retry_outlives_its_worker(shop: Shop, stack: Stack, worker: Process, scripts: ModelScripts, key: str) -> None:
    scripts.add(key, charge(key), [tool_call("wait_for_flag", {"input": key})], [message("done")])
    run = fail_after_a_turn(shop, key)
    again = run.retry(max_turns=5)
    wait_until(lambda: shop.effects(f"waiting:{key}"), "the new turn works", timeout_seconds=SECONDS)

    replace_worker(stack, worker)
    shop.set_flag(key)

    assert again.result(SECONDS) == "done"
    assert shop.effects(f"charged:{key}") == ["charged"]


def test_chain_that_was_told_of_the_failure_does_not_go_on(
    shop: Shop, worker: Process, scripts: ModelScripts, key: str
) -> None:
    scripts.add(key, charge(key), [message("done")])
    result = chain(shop.careful.s(key, max_turns=1), shop.note.s(key=key)).apply_async()
    with pytest.raises(MaxTurnsExceeded):
        result.get(timeout=SECONDS)

    again = shop.app.orchestrator.run(result.parent.id).retry(max_turns=5)

    assert again.result(SECONDS) == "done"
    wait_until(lambda: again.status() == "done", "the answer is delivered", timeout_seconds=SECONDS)
    shop.note.delay("the only note", key=key).get(timeout=SECONDS)
    assert shop.effects(key) == ["the only note"]
    assert result.state != "SUCCESS"
