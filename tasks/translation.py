"""A translation by three translators side by side, of which a fourth picks the best.

    orchestrator run translation "Thank you, your order is ready and delivery is free."

The attempts are one agent's; what the picker names is the answer, word for word.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from orchestrator import Agent, Flow, ModelSettings, step, vote
from tasks.rehearsal import translation as rehearsal
from tasks.terms import look_up_terms

ATTEMPTS = 3


class Choice(BaseModel):
    """Which translation is the best."""

    reason: str = Field(description="What sets it apart from the others, in one sentence.")
    number: int = Field(ge=1, le=ATTEMPTS, description="Its place in the list, from 1.")


def number_of(choice: Choice) -> int:
    """The attempt that was picked."""
    return choice.number


translator = Agent[Any](
    name="translation.translator",
    instructions=(
        "You translate English into Spanish, for customers of a shop in Spain; address them as «usted». First look "
        "up the shop's terms in the text, and use them. Translate what is meant, not word by word. Answer with the "
        "translation alone."
    ),
    tools=[look_up_terms],
    # The attempts should differ from each other, and use the terms.
    model_settings=ModelSettings(temperature=1.0, tool_choice="required"),
    rehearsal=rehearsal.translator,
)

picker = Agent[Any](
    name="translation.picker",
    instructions=(
        "You get an English text and several Spanish translations of it. Pick the one that a Spanish customer would "
        "take for written in Spanish. A mistake of meaning weighs more than one of style, and what does not translate "
        "the text, such as a remark or an excuse, is never picked."
    ),
    output_type=Choice,
    rehearsal=rehearsal.picker,
)

translation = Flow(
    "translation",
    vote(
        step(translator, prompt="Text: {input}"),
        ATTEMPTS,
        judge=step(picker, prompt="The text: {flow_input}\n\nThe translations, as a JSON list:\n{input}"),
        pick=number_of,
    ),
    description="Translates a text into Spanish: the best of three attempts.",
)
