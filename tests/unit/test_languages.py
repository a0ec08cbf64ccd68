"""The front desk: routing by language, and going on with whoever answered last."""

import pytest

from orchestrator import RunResult, Settings, run_inline
from tasks import languages

REHEARSAL = Settings(model_api="rehearsal", rehearsal_latency_seconds=0)
AGENTS = {agent.name: agent for agent in [languages.languages, *languages.SPEAKERS]}


def ask(text: str, before: RunResult | None = None) -> RunResult:
    """One message; after others, it goes on with the agent that answered them."""
    if before is None:
        return run_inline(languages.languages, text, settings=REHEARSAL)
    conversation = [*before.to_input_list(), {"role": "user", "content": text}]
    return run_inline(AGENTS[before.last_agent], conversation, settings=REHEARSAL)


@pytest.mark.parametrize(
    ("text", "agent", "answer"),
    [
        ("Are you open on Saturday?", "languages.english", "On saturday we are open: 09:00-14:00."),
        ("Bonjour, êtes-vous ouverts le lundi ?", "languages.french", "Le lundi, nous sommes fermés."),
        ("Hola, ¿abren el jueves?", "languages.spanish", "El jueves abrimos: 10:00-20:00."),
    ],
)
def test_message_goes_to_who_speaks_its_language(text: str, agent: str, answer: str) -> None:
    result = ask(text)

    assert (result.last_agent, result.final_output) == (agent, answer)


def test_next_message_goes_on_with_the_active_agent() -> None:
    first = ask("Bonjour, êtes-vous ouverts le lundi ?")

    second = ask("Et le mardi ?", first)

    assert second.final_output == "Le mardi, nous sommes ouverts : 10:00-18:00."
    assert "transfer_to" not in str(second.new_items)


def test_change_of_language_goes_back_and_over_to_the_other() -> None:
    first = ask("Bonjour, êtes-vous ouverts le lundi ?")

    second = ask("Sorry, what about Thursday?", first)

    assert (second.last_agent, second.final_output) == (
        "languages.english",
        "On thursday we are open: 10:00-20:00.",
    )
