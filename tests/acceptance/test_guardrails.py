"""An agent as another one's guardrail, on a real worker with one slot, which is killed while the agent is asked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrator import InputGuardrailTripwireTriggered
from orchestrator.errors import RunCancelled
from orchestrator.ledger.base import RunSummary
from tests.acceptance.conftest import APP, impatient
from tests.acceptance.shop import Shop
from tests.support.stack import Stack, wait_until

pytestmark = pytest.mark.slow

SECONDS = 60


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack"), app=APP, environment=impatient()) as stack:
        stack.start_worker(concurrency=1)
        yield stack


def judges_of(shop: Shop, run_id: str) -> list[RunSummary]:
    """The runs that were started to judge this one."""
    return [summary for summary in shop.app.orchestrator.client.recent(50) if summary.run_id.startswith(f"{run_id}.")]


def test_its_tripwire_ends_the_run(shop: Shop) -> None:
    with pytest.raises(InputGuardrailTripwireTriggered) as raised:
        shop.guarded.submit("homework").result(SECONDS)

    assert (raised.value.guardrail, raised.value.output_info) == ("judge", {"allowed": False})


def test_whoever_takes_the_run_over_finds_the_agents_run_again(stack: Stack, shop: Shop, key: str) -> None:
    run = shop.guarded.submit(key)
    wait_until(lambda: shop.effects(f"waiting:{key}"), "the agent is asked")

    stack.processes[-1].kill()
    shop.set_flag(key)
    stack.start_worker("another", concurrency=1)

    assert run.result(SECONDS) == "served"
    [judge] = judges_of(shop, run.id)
    assert (judge.status, judge.usage.requests) == ("done", 2)
    assert run.summary().usage.requests == 3


def test_it_is_cancelled_with_the_run(shop: Shop, key: str) -> None:
    run = shop.guarded.submit(key)
    wait_until(lambda: shop.effects(f"waiting:{key}"), "the agent is asked")

    run.cancel()

    with pytest.raises(RunCancelled):
        run.result(SECONDS)
    [judge] = judges_of(shop, run.id)
    with pytest.raises(RunCancelled):
        shop.app.orchestrator.run(judge.run_id).result(SECONDS)
