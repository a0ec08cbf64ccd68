"""An input guardrail of the support desk: what looks like a payment card's number reaches no model."""

from __future__ import annotations

import re
from typing import Any

from orchestrator import GuardrailFunctionOutput, RunContext, input_guardrail


@input_guardrail(run_in_parallel=False)
def no_card_numbers(ctx: RunContext[Any], agent: object, given: str | list[Any]) -> GuardrailFunctionOutput:
    """A message with a card number reaches no model: the run ends before the first call."""
    found = any(is_card_number(digits) for digits in re.findall(r"\b\d(?:[ -]?\d){12,18}\b", str(given)))
    return GuardrailFunctionOutput({"rule": "Do not send card numbers."}, tripwire_triggered=found)


def is_card_number(text: str) -> bool:
    """Whether the digits add up as those of payment cards do (Luhn)."""
    digits = [int(character) for character in reversed(text) if character.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0
