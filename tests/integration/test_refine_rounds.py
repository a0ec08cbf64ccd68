"""A loop of a hundred rounds: its messages, and what is alive of it, are as small in the last round as in the first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery
from redis import Redis

from orchestrator import Agent, Flow, create_app, refine
from orchestrator.celery.publish import CeleryPublisher
from orchestrator.engine import Performed
from orchestrator.ledger.base import Pointer
from orchestrator.loop import background
from orchestrator.perform import perform
from orchestrator.settings import Settings
from orchestrator.submission import new_run
from orchestrator.testing import ScriptedModel
from tests.support.stack import wait_until

ROUNDS = 100
RETENTION_SECONDS = 5.0
DIGITS = 30
"""Bytes by which a message may differ from another: numbers of steps and rounds have more digits later on."""


def build_flow() -> Flow:
    drafts, verdicts = ScriptedModel(["draft"] * ROUNDS), ScriptedModel(["again"] * ROUNDS)
    loop = refine(Agent("w", model=drafts), Agent("j", model=verdicts), passes=lambda _: False, max_rounds=ROUNDS)
    return Flow("loop", loop)


@pytest.fixture
def app(valkey_url: str, namespace: str) -> Iterator[Celery]:
    settings = Settings(redis_url=valkey_url, namespace=namespace, retention_seconds=RETENTION_SECONDS)
    options = {"global_keyprefix": f"{namespace}."}
    app = create_app(namespace, flows=[build_flow()], settings=settings, broker_transport_options=options)
    yield app
    background.run(app.orchestrator.ledger.close_connections())
    app.close()


class Loop:
    """The flow's run, moved on by this test, which sees every message and all keys."""

    def __init__(self, app: Celery, client: Redis, namespace: str) -> None:
        self.message_sizes: list[int] = []
        self.live_keys: list[int] = []
        self._engine = app.orchestrator.engine
        self._publisher = CeleryPublisher(app)
        self._client = client
        self._namespace = namespace

    def run(self) -> Any:
        """The result."""
        flow = self._engine.registry.flow("loop")
        pointer = background.run(self._engine.ledger.start(new_run(flow, "x", run_id="run", settings=Settings())))
        while pointer is not None:
            self._send(pointer)
            self.live_keys.append(len(self.keys(live=True)))
            performed, pointer = background.run(self._perform(pointer))
        [end] = performed.ended_flows
        assert end.outcome is not None
        return end.outcome.output

    def keys(self, *, live: bool = False) -> list[str]:
        """The keys of the run and of all below it. Live ones do not expire: they stand for what is to be done."""
        found = list(self._client.scan_iter(f"{self._namespace}:*{{run}}*", count=10_000))
        return [key for key in found if not live or self._client.ttl(key) == -1]

    def _send(self, pointer: Pointer) -> None:
        self._publisher.publish([pointer])
        message: Any = self._client.rpop(f"{self._namespace}.celery")
        self.message_sizes.append(len(message))

    async def _perform(self, pointer: Pointer) -> tuple[Performed, Pointer | None]:
        message_id = f"{pointer.run_id}.{pointer.step}"
        performed = await perform(self._engine, pointer.run_id, pointer.step, message_id=message_id, worker="w")
        for claim in performed.to_close:
            await self._engine.ledger.close(claim)
        assert len(performed.pointers) <= 1
        return performed, next(iter(performed.pointers), None)


@pytest.mark.slow
def test_messages_and_live_keys_do_not_grow_with_the_rounds(app: Celery, valkey_url: str, namespace: str) -> None:
    with Redis.from_url(valkey_url) as client:
        loop = Loop(app, client, namespace)

        assert loop.run() == "draft"

        first, *others = loop.message_sizes[3:]  # from the second round on, a worker gets its last draft
        assert len(others) >= 2 * ROUNDS - 3
        assert max(others) - first <= DIGITS
        assert set(loop.live_keys[1:-1]) == {4}  # the flow's and its member's, each a hash and a log
        wait_until(lambda: not loop.keys(), "nothing is left after the retention", timeout_seconds=60)
