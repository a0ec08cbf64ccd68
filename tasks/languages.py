"""A shop's front desk that answers in the customer's language: routing by handoff.

    orchestrator run languages "Bonjour, êtes-vous ouverts le samedi ?"

In a session (`--session NAME`) the next message goes on with the agent that answered, which hands back if it must.
"""

from __future__ import annotations

from typing import Literal

from orchestrator import Agent, ModelSettings, function_tool, handoff
from orchestrator.handoff_filters import remove_all_tools
from tasks.rehearsal import languages as rehearsal

Day = Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]

OPENING_HOURS: dict[Day, str | None] = {
    "Mon": None, "Tue": "10:00-18:00", "Wed": "10:00-18:00", "Thu": "10:00-20:00", "Fri": "10:00-18:00",
    "Sat": "09:00-14:00", "Sun": None,
}  # fmt: skip


@function_tool
def opening_hours(day: Day) -> str:
    """Look up when the shop is open on a day of the week.

    Args:
        day: The day.
    """
    hours = OPENING_HOURS[day]
    return "closed all day" if hours is None else f"open from {hours.replace('-', ' to ')}"


def speaker(language: str, rehearsed: rehearsal.Phrases) -> Agent[None]:
    """The agent that answers in one language."""
    return Agent[None](
        name=f"languages.{language.lower()}",
        handoff_description=f"Answers customers who write {language}.",
        instructions=(
            f"You are at the front desk of a bicycle shop, and you answer in {language}, whatever language you are "
            "written to. Look opening hours up, never guess them. Answer in one or two sentences. If the customer "
            "changes to another language, hand back to languages."
        ),
        tools=[opening_hours],
        rehearsal=rehearsal.speaker(rehearsed),
    )


english = speaker("English", rehearsal.ENGLISH)
french = speaker("French", rehearsal.FRENCH)
spanish = speaker("Spanish", rehearsal.SPANISH)
SPEAKERS = [english, french, spanish]

languages = Agent[None](
    name="languages",
    handoff_description="Finds who speaks the customer's language.",
    instructions="Hand over to the colleague who speaks the language of the customer's last message. Never answer.",
    model_settings=ModelSettings(tool_choice="required"),
    # Who takes over reads what was said, and nothing of how it was routed or looked up.
    handoffs=[handoff(speaks, input_filter=remove_all_tools) for speaks in SPEAKERS],
    rehearsal=rehearsal.languages,
)

for speaks in SPEAKERS:
    speaks.handoffs.append(languages)
