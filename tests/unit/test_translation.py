"""A translation picked from three: the picker's number decides, and the text stays as it was."""

from typing import Any

import pytest

from orchestrator import FlowError, Settings, run_inline
from tasks.translation import ATTEMPTS, Choice, translation

REHEARSAL = Settings(model_api="rehearsal", rehearsal_latency_seconds=0)


def test_terms_of_the_shop_are_used() -> None:
    result = run_inline(translation, "Your order is ready.", settings=REHEARSAL)

    assert result.final_output == "su pedido está listo."
    assert result.usage.requests == 2 * ATTEMPTS + 1


def test_text_without_terms_of_the_shop_is_translated_all_the_same() -> None:
    result = run_inline(translation, "Zebras sleep.", settings=REHEARSAL)

    assert result.final_output == "[Zebras] [sleep]."


def pick(number: int) -> Any:
    attempts = iter(["uno", "dos", "tres"])

    def answer(name: str, given: Any) -> Any:
        if name == "translation.translator":
            return next(attempts)
        assert '["uno", "dos", "tres"]' in given
        return Choice.model_construct(reason="-", number=number)

    return translation.evaluate("One, two, three", answer)


def test_attempt_that_the_picker_names_is_the_answer() -> None:
    assert pick(2) == "dos"


def test_number_of_no_attempt_is_an_error() -> None:
    with pytest.raises(FlowError, match="picked number 4"):
        pick(4)
