"""What the transport writes on messages, what it asks the server, and how it tells processes apart."""

from __future__ import annotations

import json
import os
import subprocess
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.celery.delivery import mark_redelivered, message_id_of, prepare_delivery
from orchestrator.celery.lease_keys import LeaseKeys
from orchestrator.celery.process_identity import ProcessIdentity
from orchestrator.celery.questions import take_message


def message(**headers: Any) -> dict[str, Any]:
    return {
        "body": "W10=",
        "headers": headers,
        "properties": {"delivery_tag": "published", "delivery_info": {"exchange": "", "routing_key": "q"}},
    }


# ---- message ids --------------------------------------------------------------------------------


def test_message_has_one_id_through_all_its_deliveries() -> None:
    ids = set()
    for tag in ("one.1", "two.1"):
        payload = message()
        prepare_delivery(payload, tag)
        assert payload["properties"]["delivery_tag"] == tag
        ids.add(message_id_of(SimpleNamespace(id="run", properties=payload["properties"])))

    assert ids == {"run/published"}


@pytest.mark.parametrize("properties", [None, {}, {"delivery_tag": "7"}])
def test_on_other_transports_every_delivery_is_another_message(properties: dict[str, Any] | None) -> None:
    request = SimpleNamespace(id="run", properties=properties)

    assert message_id_of(request) != message_id_of(request)


# ---- messages that go back ----------------------------------------------------------------------


def test_message_that_goes_back_is_marked_and_otherwise_unchanged() -> None:
    before = message(stamps={}, retries=0, argsrepr="('é',)", eta=None, big=2**60)

    after = json.loads(mark_redelivered(json.dumps(before).encode()))

    assert after["headers"].pop("redelivered") is True
    assert after["properties"]["delivery_info"].pop("redelivered") is True
    assert after == before


@pytest.mark.parametrize("text", [b"junk", b"[]", b"{}", b"\xff"])
def test_what_is_no_message_goes_back_as_it_is(text: bytes) -> None:
    assert mark_redelivered(text) == text


# ---- questions ----------------------------------------------------------------------------------


def test_lists_are_looked_at_by_priority_and_then_by_queue() -> None:
    steps = [lambda queue: queue, lambda queue: f"{queue}:9"]

    question = take_message(LeaseKeys("app/"), ["a", "b"], steps, lease="l", tag="t.1", recorded={"b"})

    assert question.keys == [
        "app/_leases",
        "app/_leases.unacked.l",
        *["app/a", "app/b", "app/a:9", "app/b:9"],
        *["app/_wake.a", "app/_wake.b"],
    ]
    assert question.arguments == ["l", "t.1", 2, "0", "1"]
    assert [question.is_recorded(queue) for queue in ("a", "b")] == [False, True]


def test_nothing_is_recorded_without_a_lease() -> None:
    question = take_message(LeaseKeys(), ["a"], [str], lease="", tag="", recorded={"a"})

    assert not question.is_recorded("a")


# ---- processes ----------------------------------------------------------------------------------


def test_living_process_is_not_taken_for_dead() -> None:
    identity = ProcessIdentity.of_this_process()

    assert ProcessIdentity.parse(str(identity)) == identity
    assert not identity.is_known_to_be_dead()


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="needs /proc")
def test_ended_process_is_known_to_be_dead_even_as_a_zombie() -> None:
    mine = ProcessIdentity.of_this_process()
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    zombie = ProcessIdentity(mine.place, child.pid, mine.started)

    assert zombie.is_known_to_be_dead()
    child.wait()
    assert zombie.is_known_to_be_dead()


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="needs /proc")
def test_new_process_under_an_old_number_is_another_one() -> None:
    mine = ProcessIdentity.of_this_process()

    assert ProcessIdentity(mine.place, mine.pid, "1").is_known_to_be_dead()


def test_processes_of_other_machines_are_nobody_s_business() -> None:
    assert not ProcessIdentity("elsewhere-0", 1, "1").is_known_to_be_dead()
    assert not ProcessIdentity(ProcessIdentity.of_this_process().place, 2**22 + 1, "").is_known_to_be_dead()
