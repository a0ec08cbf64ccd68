"""The benchmarks' model server plays its scripts, keeps a log, and fails as it is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI

from benchmarks.model import Model
from benchmarks.model_server import Behaviour


@pytest.fixture(scope="module")
def started() -> Iterator[Model]:
    with Model() as model:
        yield model


@pytest.fixture
def model(started: Model) -> Model:
    started.behave(Behaviour())
    return started


@pytest.fixture
def client(model: Model) -> Iterator[OpenAI]:
    with OpenAI(base_url=model.environment["OPENAI_BASE_URL"], api_key="none", max_retries=0) as client:
        yield client


def output(number: int) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": f"call_{number}", "output": "done"}


def test_triage_hands_over_looks_up_and_answers(client: OpenAI) -> None:
    user: Any = {"role": "user", "content": "where is my order A1?"}

    conversations: Any = [[user], [user, output(1)], [user, output(1), output(2)]]
    items = [client.responses.create(model="triage", input=given).output[0] for given in conversations]

    assert [getattr(item, "name", item.type) for item in items] == ["transfer_to_specialist", "lookup_order", "message"]


def test_streamed_reply_says_the_same(client: OpenAI) -> None:
    whole = client.responses.create(model="answer", input="hello")
    events = list(client.responses.create(model="answer", input="hello", stream=True))

    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == whole.output_text
    assert events[-1].type == "response.completed"


def test_log_tells_runs_apart_and_times_calls(model: Model, client: OpenAI) -> None:
    model.behave(Behaviour(latency_seconds=0.05))

    client.responses.create(model="answer", input="mark-7: hello")

    (call,) = model.calls()
    assert (call.script, call.mark, call.status) == ("answer", "mark-7", 200)
    assert call.ended_at is not None
    assert call.ended_at - call.began_at >= 0.05
    assert model.most_in_flight() == 1


def test_faults_with_a_seed_are_as_many_each_time_and_spare_the_call_that_is_made_again(
    model: Model, client: OpenAI
) -> None:
    def fail(first: int) -> list[int]:
        model.behave(Behaviour(rate_limited_share=0.25, failed_share=0.25, fault_seed=1))
        for number in range(first, first + 20):
            client.with_options(max_retries=1).responses.create(model="answer", input=f"mark-{number}: hello")
        return [call.status for call in model.calls()]

    statuses = fail(0)

    assert fail(100) == statuses
    assert {429, 500} < set(statuses)
    assert statuses.count(200) == 20


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        (Behaviour(rate_limited_share=1), openai.RateLimitError),
        (Behaviour(failed_share=1), openai.InternalServerError),
        (Behaviour(dropped_share=1), openai.APIConnectionError),
    ],
)
def test_faults_come_as_they_are_set(
    model: Model, client: OpenAI, behaviour: Behaviour, error: type[openai.OpenAIError]
) -> None:
    model.behave(behaviour)

    with pytest.raises(error):
        client.responses.create(model="answer", input="hello")
