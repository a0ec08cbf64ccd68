"""A translation desk: a manager has agents as tools, of which some are there only for those who may use them.

    orchestrator run translation_desk "Please translate into Spanish and French: Your order is ready." \
        --context '{"languages": ["Spanish", "French"]}'

Spanish is for everybody; the reader's languages, in the context, decide which others the manager's model can see.
German is a typed tool: it takes the text, the audience and the form of address. The flow's last step, an editor, puts
all into one message. A model can translate without a tool, too; a guardrail sees to it that nobody gets such a text.
"""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import BaseModel, Field

from orchestrator import (
    Agent,
    Flow,
    GuardrailFunctionOutput,
    ModelSettings,
    RunContext,
    output_guardrail,
    sequence,
    step,
)
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

    language: Language
    text: str


class Message(BaseModel):
    """What the desk answers."""

    translations: list[Translation]
    note: str = Field(description="What could not be translated and why, in one sentence; empty if all was.")


def languages_of(context: RunContext[Reader]) -> set[Language]:
    """What the reader may have; a run without a context has what all readers have."""
    return {"Spanish", *(context.context or Reader()).languages}


def wants(language: Language) -> IsEnabled:
    """Whether the reader has this language."""
    return lambda context, agent: language in languages_of(context)


@output_guardrail
def only_what_is_offered(ctx: RunContext[Reader], agent: object, message: Message) -> GuardrailFunctionOutput:
    """Nobody gets a language that they do not have."""
    refused = set(get_args(Language)) - languages_of(ctx)
    found = sorted(refused & {translation.language for translation in message.translations})
    return GuardrailFunctionOutput({"not_offered": found}, tripwire_triggered=bool(found))


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
        "You run a translation desk and speak nothing but English: every translation comes from a tool. Call the tool "
        "of every language that the user asks for, all in the same turn, each with the whole English text. A language "
        "without a tool is not offered to this user. Then report what each tool gave under its language's name, word "
        "for word, and which languages were not offered."
    ),
    tools=[
        spanish.as_tool("translate_to_spanish", "Translate into Spanish: give the English text, word for word."),
        french.as_tool(
            "translate_to_french",
            "Translate into French: give the English text, word for word.",
            is_enabled=wants("French"),
        ),
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
    output_guardrails=[only_what_is_offered],
    rehearsal=rehearsal.editor,
)

translation_desk = Flow(
    "translation_desk",
    sequence(manager, step(editor, prompt="What was asked: {flow_input}\n\nThe translations:\n{input}")),
    description="Translates a text into the languages that its reader has.",
)
