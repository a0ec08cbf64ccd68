"""The inbox: a structured output picks who answers, and nothing falls through."""

import pytest

from orchestrator import Settings, run_inline
from tasks.inbox import Answer, InvoiceDecision, inbox

REHEARSAL = Settings(model_api="rehearsal", rehearsal_latency_seconds=0)


@pytest.mark.parametrize(
    ("letter", "action"),
    [
        ("Invoice R-77 for purchase order P-1001: 1,250.00 EUR.", "pay"),
        ("Invoice R-78 for purchase order P-1001: 1,350.00 EUR.", "ask_back"),
        ("Invoice R-79: 10.00 EUR.", "ask_back"),
    ],
)
def test_invoice_is_paid_if_it_is_what_was_ordered(letter: str, action: str) -> None:
    result = run_inline(inbox, letter, settings=REHEARSAL)

    assert InvoiceDecision.model_validate(result.final_output).action == action


def test_application_is_answered_with_an_opening() -> None:
    result = run_inline(inbox, "I would like to apply for a position.", settings=REHEARSAL)

    assert "Engineer, task queues" in Answer.model_validate(result.final_output).text


@pytest.mark.parametrize(
    ("letter", "handled_by"), [("Special offer: 50% off paper", "nobody"), ("Your dog is in our garden.", "a person")]
)
def test_rest_costs_one_model_call(letter: str, handled_by: str) -> None:
    result = run_inline(inbox, letter, settings=REHEARSAL)

    assert Answer.model_validate(result.final_output).handled_by == handled_by
    assert result.usage.requests == 1
