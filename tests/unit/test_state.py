"""A run's state, folded from its entries."""

from __future__ import annotations

from orchestrator.entries import HandedOff, Invoked, Outcome, Output, Parked, Reply, RunInput, Started
from orchestrator.models.base import Item
from orchestrator.state import encode_view, fold, function_call_output
from orchestrator.testing import function_call, text_message
from orchestrator.usage import Usage

USER: Item = {"role": "user", "content": "Hi"}
LOOK, ZOOM = function_call("look", call_id="1"), function_call("zoom", call_id="2")
GIVEN = RunInput(agent="a", items=[USER], context={"n": 1, "kept": True})


def reply(*items: Item, agent: str = "a") -> Reply:
    return Reply(agent=agent, items=list(items), usage=Usage(requests=1, input_tokens=10))


def output(call_id: str, text: str = "seen", **fields: object) -> Output:
    return Output.model_validate({"call_id": call_id, "tool": "look", "output": text, **fields})


def test_outputs_are_in_the_order_of_the_calls() -> None:
    state = fold([GIVEN, reply(LOOK, ZOOM), output("2", "second"), output("1", "first")])

    outputs = [function_call_output("1", "first"), function_call_output("2", "second")]
    assert state.conversation() == [USER, LOOK, ZOOM, *outputs]


def test_new_items_leave_out_what_was_given() -> None:
    assert fold([GIVEN, reply(text_message("x"))]).new_items() == [text_message("x")]


def test_a_repeated_call_is_not_shown_again() -> None:
    state = fold([GIVEN, reply(LOOK, LOOK), output("1"), reply(LOOK, ZOOM)])

    assert state.conversation() == [USER, LOOK, function_call_output("1", "seen"), ZOOM]


def test_model_calls_are_counted_over_handoffs_and_per_activation() -> None:
    handed = HandedOff(source="a", target="b", outputs=[])

    state = fold([GIVEN, reply(), reply(), handed, reply(agent="b")])

    assert (state.agent, state.turns, state.active_turns) == ("b", 3, 1)


def test_usage_adds_up_with_that_of_called_agents() -> None:
    spent = Usage(requests=2, input_tokens=5)

    assert fold([GIVEN, reply(LOOK), output("1", usage=spent)]).usage == Usage(requests=3, input_tokens=15)


def test_agents_that_called_anything_are_remembered() -> None:
    state = fold([GIVEN, reply(LOOK), reply(text_message("x"), agent="b")])

    assert state.tool_users == {"a"}


def test_the_context_takes_up_every_patch() -> None:
    patches = [output("1", context={"n": 2}), Parked(waits={}, context={"m": 3})]

    state = fold([GIVEN, reply(LOOK), *patches])

    assert state.context == {"n": 2, "m": 3, "kept": True}


def test_changes_of_the_context_are_those_since_the_run_began() -> None:
    state = fold([GIVEN, reply(LOOK), output("1", context={"n": 2})])

    assert state.context_changes({"last": 4}) == {"n": 2, "last": 4}


def test_a_context_that_was_changed_back_has_no_changes() -> None:
    assert fold([GIVEN, reply(LOOK), output("1", context={"n": 2})]).context_changes({"n": 1}) is None


def test_a_view_of_a_handoff_is_looked_through() -> None:
    before = [USER, text_message("bye")]
    view = encode_view(before, [before[1], {"role": "user", "content": "new"}])
    handed = HandedOff(source="a", target="b", outputs=[], view=view, history_size=1)

    state = fold([GIVEN, reply(text_message("bye")), handed])

    assert (state.history, state.generated) == ([text_message("bye")], [{"role": "user", "content": "new"}])


def test_a_view_names_kept_items_by_range() -> None:
    items: list[Item] = [{"n": number} for number in range(5)]

    assert encode_view(items, [*items[:2], {"new": 1}, *items[3:]]) == [[0, 2], {"new": 1}, [3, 5]]


def test_a_view_tells_equal_items_apart() -> None:
    items: list[Item] = [{"n": 1}, {"n": 1}]

    assert encode_view(items, [items[1]]) == [[1, 2]]


def test_items_of_an_error_handler_join_the_conversation() -> None:
    outcome = Outcome(kind="answer", output="sorry", history=[text_message("sorry")])

    state = fold([GIVEN, reply(text_message("no")), outcome])

    assert state.new_items() == [text_message("no"), text_message("sorry")]


def test_calls_that_had_begun_when_a_worker_was_lost_are_interrupted() -> None:
    again = Invoked(step=1, task="agents.a", worker="w", fence=2)
    started = [Started(call_id=call_id, tool="look") for call_id in ("1", "2")]

    state = fold([GIVEN, reply(LOOK, ZOOM), *started, output("1"), again])

    assert state.turn is not None
    assert state.turn.interrupted == {"2"}
