"""Agents that a producer, or a worker, knows by name alone."""

from __future__ import annotations

import subprocess
import sys

import pytest

from orchestrator.errors import UserError
from orchestrator.loop import background
from tests.acceptance.conftest import wait_until_loaded
from tests.acceptance.shop import Quote, Shop
from tests.support.stack import REPOSITORY, Stack

SECONDS = 60

PRODUCER = """
import sys
from celery import Celery
from orchestrator import install

app = Celery("producer", broker=sys.argv[1], backend=sys.argv[1])
orchestrator = install(app)
runs = [orchestrator.submit(name, "a") for name in sys.argv[2:]]
print([run.result(60) for run in runs])
print({event.entry.worker for run in runs for event in run.events() if event.type == "invocation"})
"""


def test_process_without_the_agents_code_submits_by_name(shop: Shop, stack: Stack) -> None:
    wait_until_loaded(shop.app, "agents.triage")

    assert submit_elsewhere(stack, "triage", "pricer")[0] == "['closed(a)', {'item': 'a', 'cents': 100}]"


def test_agent_submitted_by_name_goes_to_its_own_queue(shop: Shop, stack: Stack) -> None:
    wait_until_loaded(shop.app, "agents.faraway")

    assert submit_elsewhere(stack, "faraway") == ["['faraway(a)']", "{'heavy@test'}"]


def test_agent_of_this_process_can_be_submitted_by_name(shop: Shop) -> None:
    assert shop.app.orchestrator.submit("pricer", "tea").result(SECONDS) == Quote(item="tea", cents=100)


def test_handoff_goes_to_an_agent_that_only_other_workers_have(shop: Shop, stack: Stack) -> None:
    stack.start_worker("annex", app="tests.acceptance.annex_app", queues="annex")
    wait_until_loaded(shop.app, "agents.annex")

    assert shop.sender.submit("a").result(SECONDS) == "annex(a)"


def test_blocking_call_on_our_own_loop_is_refused(shop: Shop) -> None:
    async def block() -> None:
        shop.triage.submit("a")

    with pytest.raises(UserError, match="In async code use the awaitable form"):
        background.run(block())


# ---- helpers ------------------------------------------------------------------------------------


def submit_elsewhere(stack: Stack, *names: str) -> list[str]:
    """The lines that a producer in a process of its own prints."""
    done = subprocess.run(
        [sys.executable, "-c", PRODUCER, stack.url, *names],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
