"""A translation desk: a manager has agents as tools, of which some are there only for those who may use them.

    orchestrator run translation_desk "Please translate into Spanish and French: Your order is ready." \
        --context '{"languages": ["Spanish", "French"]}'

Spanish is for everybody; the reader's languages, in the context, decide which others the manager's model can see.
German is a typed tool: it takes the text, the audience and the form of address. The flow's last step, an editor, puts
all into one message.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from orchestrator import Agent, Flow, ModelSettings, sequence, step
from orchestrator.agent_tool import StructuredToolInput
from orchestrator.handoff import IsEnabled
from tasks.rehearsal import translation_desk as rehearsal
from tasks.terms import Language, look_up_terms


class Reader(BaseModel):
    """Who reads the translations: which languages they have paid for, besides Spanish."""

    languages: list[Language] = []


class GermanText(BaseModel):
    """What the German translator is given."""

    text: str = Field(description="The English text, as it is.")
    audience: str = Field(description="Who will read it, in a few words.")
    form: Literal["du", "Sie"] = Field(description="How the reader is addressed.")


class Translation(BaseModel):
    """The text in one language."""

    language: str
    text: str


class Message(BaseModel):
    """What the desk answers."""

    translations: list[Translation]
    note: str = Field(description="What could not be translated and why, in one sentence; empty if all was.")


def wants(language: Language) -> IsEnabled:
    """Whether the reader has this language; a run without a context has what all readers have."""
    return lambda context, agent: language in (context.context or Reader()).languages


def translator(language: Language, example: str) -> Agent[Reader]:
    """The agent that translates into one language."""
    return Agent[Reader](
        name=f"translation_desk.{language.lower()}",
        instructions=(
            f"You translate English into {language}. First look up the shop's terms in the text, and use them. "
            f"Translate what is meant, in the register of the text, as in: {example} Answer with the translation "
            "alone: no quotation marks, no remarks."
        ),
        tools=[look_up_terms],
        model_settings=ModelSettings(tool_choice="required"),
        rehearsal=rehearsal.translator(language),
    )


spanish = translator("Spanish", "“Sign in to continue.” → “Inicie sesión para continuar.”")
french = translator("French", "“Sign in to continue.” → “Connectez-vous pour continuer.”")
german = translator("German", "“Sign in to continue.” → “Melden Sie sich an, um fortzufahren.”")


def german_brief(given: StructuredToolInput) -> str:
    """The German translator's input, from the typed arguments."""
    return "Readers: {audience}. Address them as „{form}“.\nText: {text}".format(**given["params"])


manager = Agent[Reader](
    name="translation_desk.manager",
    instructions=(
        "You run a translation desk and translate nothing yourself. Call the tool of every language that the user asks "
        "for, all in the same turn, each with the whole text. A language without a tool is not offered to this user. "
        "Then report each translation under its language's name, word for word, and which languages were not offered."
    ),
    tools=[
        spanish.as_tool("translate_to_spanish", "Translate a text into Spanish."),
        french.as_tool("translate_to_french", "Translate a text into French.", is_enabled=wants("French")),
        german.as_tool(
            "translate_to_german",
            "Translate a text into German, for a given audience.",
            parameters=GermanText,
            input_builder=german_brief,
            is_enabled=wants("German"),
        ),
    ],
    model_settings=ModelSettings(parallel_tool_calls=True),
    rehearsal=rehearsal.manager,
)

editor = Agent[Reader](
    name="translation_desk.editor",
    instructions=(
        "You get translations of one text by several translators. Check each against the English: correct mistakes of "
        "grammar and meaning, keep the terms as they are. Deliver all that there are, and none that there is not."
    ),
    output_type=Message,
    rehearsal=rehearsal.editor,
)

translation_desk = Flow(
    "translation_desk",
    sequence(manager, step(editor, prompt="What was asked: {flow_input}\n\nThe translations:\n{input}")),
    description="Translates a text into the languages that its reader has.",
)
