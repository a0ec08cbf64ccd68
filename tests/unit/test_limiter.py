"""Model calls pass the fleet's limits: one look serves all that wait, long waits park, and nothing is left behind."""

from __future__ import annotations

import asyncio
import time

import pytest

from orchestrator.agent import Agent
from orchestrator.errors import LedgerUnavailable, LimitCannotBeMet, ModelUnavailable
from orchestrator.inline import arun_inline, run_inline
from orchestrator.ledger.limits import Ticket
from orchestrator.ledger.limits_memory import MemoryLimitStore
from orchestrator.limiter import Limiter
from orchestrator.limits import Limit
from orchestrator.model_settings import ModelSettings
from orchestrator.models.base import ModelReply
from orchestrator.moves import pass_limit
from orchestrator.settings import Settings
from orchestrator.testing import ScriptedModel, function_call, text_message
from orchestrator.tool import function_tool
from orchestrator.usage import Usage
from tests.support.limit_stores import CountingStore, TroubledStore

SLOT = Limit(model="scripted", concurrent=1)


def limiter(store: MemoryLimitStore, limit: Limit = SLOT) -> Limiter:
    async def nobody(called: object) -> None:
        """Nothing is parked here."""

    return Limiter(store, [limit], nobody)


def ticket(name: str) -> Ticket:
    return Ticket(id=name, owner="w1", run_id=name)


async def held(store: MemoryLimitStore, limit: Limit = SLOT) -> int:
    return (await store.use(limit)).total.held


async def until_held(store: MemoryLimitStore, count: int) -> None:
    async with asyncio.timeout(60):
        while await held(store) != count:
            await asyncio.sleep(0.01)


async def test_all_that_wait_are_served_by_one_look() -> None:
    store = CountingStore()
    limit = Limit(model="scripted", concurrent=1000)
    desk = limiter(store, limit).desk(limit)

    answers = await asyncio.gather(*(desk.ask(ticket(str(number)), patience_seconds=9) for number in range(500)))

    assert all(answer.is_granted for answer in answers)
    assert store.looks <= 3


async def test_long_wait_is_answered_instead_of_waited_for() -> None:
    limit = Limit(model="scripted", requests_per_minute=1)
    desk = limiter(MemoryLimitStore(), limit).desk(limit)
    await desk.ask(ticket("a"), patience_seconds=1)

    answer = await desk.ask(ticket("b"), patience_seconds=1)

    assert not answer.is_granted
    assert answer.seconds > 50


async def test_ticket_that_is_given_back_frees_its_slot() -> None:
    store = MemoryLimitStore()
    desk = limiter(store).desk(SLOT)
    await desk.ask(ticket("a"), patience_seconds=9)
    waiting = asyncio.ensure_future(desk.ask(ticket("b"), patience_seconds=1e9))

    desk.give_back(ticket("a"))

    assert (await asyncio.wait_for(waiting, 60)).is_granted


async def test_wish_that_is_cancelled_is_held_by_nobody() -> None:
    store = MemoryLimitStore()
    desk = limiter(store).desk(SLOT)
    await desk.ask(ticket("a"), patience_seconds=9)
    waiting = asyncio.ensure_future(desk.ask(ticket("b"), patience_seconds=1e9))
    await asyncio.sleep(0.05)

    waiting.cancel()
    desk.give_back(ticket("b"))
    desk.give_back(ticket("a"))

    await until_held(store, 0)
    assert (await store.use(SLOT)).total.waiting == 0


async def test_store_that_cannot_be_reached_is_told_to_those_who_wait() -> None:
    desk = limiter(TroubledStore(LedgerUnavailable("away"))).desk(SLOT)

    with pytest.raises(LedgerUnavailable, match="away"):
        await desk.ask(ticket("a"), patience_seconds=9)


# ---- runs -------------------------------------------------------------------------------------


def agent(*replies: object, **fields: object) -> Agent[None]:
    return Agent("a", model=ScriptedModel(replies), **fields)  # type: ignore[arg-type]


def test_run_parks_for_a_long_wait_and_goes_on_when_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pass_limit, "PATIENCE_SECONDS", 0.2)

    @function_tool
    def look() -> str:
        return "seen"

    asked = agent(function_call("look"), "done", tools=[look])
    began = time.monotonic()
    result = run_inline(asked, "hi", settings=Settings(limits=(Limit(model="scripted", requests_per_minute=60),)))

    assert result.final_output == "done"
    assert 0.9 < time.monotonic() - began < 60


def test_model_that_no_limit_names_is_not_limited() -> None:
    settings = Settings(limits=(Limit(model="other", requests_per_minute=0.01),))

    assert run_inline(agent("hi"), "hi", settings=settings).final_output == "hi"


def test_call_that_no_minute_has_room_for_ends_its_run_before_it_is_made() -> None:
    asked = agent("never", model_settings=ModelSettings(max_tokens=50_000))
    settings = Settings(limits=(Limit(model="scripted", tokens_per_minute=30_000),))

    with pytest.raises(LimitCannotBeMet, match="limit of model `scripted` is 30000 tokens a minute"):
        run_inline(asked, "hi", settings=settings)
    assert asked.model.requests == []  # type: ignore[union-attr]


class Store(MemoryLimitStore):
    """One store for several runs, which says what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []
        self.tokens: list[int | None] = []

    async def pause(self, limit: Limit, seconds: float) -> None:
        self.pauses.append(seconds)

    async def settle(self, limit: Limit, ticket: Ticket, *, tokens: int | None = None) -> None:
        self.tokens.append(tokens)
        await super().settle(limit, ticket, tokens=tokens)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    made = Store()
    monkeypatch.setattr("orchestrator.inline.MemoryLimitStore", lambda: made)
    return made


async def perform(store: Store, *replies: object) -> None:
    await arun_inline(agent(*replies), "hi", settings=Settings(limits=(SLOT,), model_max_retries=3))
    await until_held(store, 0)


async def test_refusal_of_one_call_holds_everybody_back(store: Store) -> None:
    await perform(store, ModelUnavailable("busy", status=429, retry_after_seconds=0.02), "hello")

    assert store.pauses == [0.02]


async def test_refusal_without_a_time_holds_everybody_back_for_a_moment(store: Store) -> None:
    await perform(store, ModelUnavailable("busy", status=429), "hello")

    assert 0.3 < store.pauses[0] < 0.7


async def test_broken_connection_holds_nobody_back(store: Store) -> None:
    await perform(store, ModelUnavailable("cut"), "hello")

    assert store.pauses == []


async def test_reply_says_that_there_is_no_more_room(store: Store) -> None:
    last = ModelReply([text_message("hello")], Usage(requests=1, total_tokens=42), "scripted", pause_seconds=7.0)

    await perform(store, last)

    assert store.pauses == [7.0]


async def test_store_hears_what_a_call_really_took(store: Store) -> None:
    reply = ModelReply([text_message("hello")], Usage(requests=1, total_tokens=42), "scripted")

    await perform(store, ModelUnavailable("busy", retry_after_seconds=0.01), reply)

    assert store.tokens == [0, 42]


async def test_run_that_fails_in_its_call_gives_its_slot_back(store: Store) -> None:
    with pytest.raises(Exception, match="broken"):
        await arun_inline(agent(ValueError("broken")), "hi", settings=Settings(limits=(SLOT,)))

    await until_held(store, 0)
