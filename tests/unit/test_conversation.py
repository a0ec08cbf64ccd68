"""What of a conversation a model is sent."""

from __future__ import annotations

from orchestrator.conversation import to_model_input
from orchestrator.models.base import Item
from orchestrator.state import function_call_output
from orchestrator.testing import function_call, text_message

REASONING: Item = {"type": "reasoning", "id": "rs", "summary": []}
CALL, OUTPUT = function_call("look", call_id="1"), function_call_output("1", "seen")


def test_whole_conversations_stay_as_they_are() -> None:
    items = [{"role": "user", "content": "Hi"}, REASONING, CALL, OUTPUT, text_message("x"), text_message("x")]

    assert to_model_input(items[:1], items[1:]) == items


def test_a_generated_call_without_output_goes_with_its_reasoning() -> None:
    assert to_model_input([], [text_message("x"), REASONING, CALL]) == [text_message("x")]


def test_reasoning_of_another_item_stays() -> None:
    assert to_model_input([], [REASONING, text_message("x"), CALL]) == [REASONING, text_message("x")]


def test_a_call_without_output_that_the_caller_gave_stays() -> None:
    assert to_model_input([CALL], [text_message("x")]) == [CALL, text_message("x")]


def test_of_two_outputs_of_one_call_the_later_stays() -> None:
    later = function_call_output("1", "seen again")

    assert to_model_input([CALL, OUTPUT], [CALL, later]) == [CALL, later]


def test_a_call_stays_where_it_was_first() -> None:
    given = [CALL, text_message("x")]

    assert to_model_input(given, [{**CALL, "id": "fc"}, OUTPUT]) == [{**CALL, "id": "fc"}, text_message("x"), OUTPUT]
