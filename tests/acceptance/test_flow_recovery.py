"""A flow whose worker is killed in the middle: another goes on, and what had ended is not done again."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.acceptance.conftest import APP, producing
from tests.acceptance.shop import Shop
from tests.support.stack import Stack, wait_until


@pytest.mark.slow
def test_a_flow_goes_on_after_its_worker_is_killed(tmp_path: Path) -> None:
    with Stack(tmp_path, app=APP) as stack:
        first = stack.start_worker("first")
        with producing(stack) as shop:
            run = shop.journey.submit("x")
            # The flag's name is what the waiters are told: what the agent before them said.
            wait_until(lambda: _waits(shop) == 2, "both branches wait in their tools", timeout_seconds=120)

            first.kill()
            stack.start_worker("second")
            wait_until(lambda: _waits(shop) == 4, "both tools run again", timeout_seconds=120)
            shop.set_flag("expert(x)")

            assert run.result(120) == 2
            replies = Counter(event.entry.agent for event in run.events() if event.type == "reply")
            assert replies == {"expert": 1, "echo": 1, "waiter": 4}


def _waits(shop: Shop) -> int:
    return len(shop.effects("waiting:expert(x)"))
