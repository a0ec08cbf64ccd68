"""The translation desk: agents as tools, some only for some readers, one with typed arguments."""

from typing import Any

import pytest

from orchestrator import OutputGuardrailTripwireTriggered, RunResult, Settings, run_inline
from orchestrator.testing import ScriptedModel, function_call, text_message
from tasks import translation_desk
from tasks.translation_desk import Message, Reader, Translation

REHEARSAL = Settings(model_api="rehearsal", rehearsal_latency_seconds=0)


def ask(text: str, *languages: Any) -> RunResult:
    context = Reader(languages=list(languages))
    return run_inline(translation_desk.translation_desk, text, context=context, settings=REHEARSAL)


def test_every_translator_that_is_asked_for_delivers() -> None:
    result = ask("Into Spanish and French: Your order is ready.", "Spanish", "French")

    assert result.final_output == Message(
        translations=[
            Translation(language="Spanish", text="su pedido está listo."),
            Translation(language="French", text="votre commande est prêt."),
        ],
        note="",
    )


def test_language_that_the_reader_does_not_have_is_not_offered() -> None:
    result = ask("Into Spanish and French: Your order is ready.", "Spanish")

    assert [translation.language for translation in result.final_output.translations] == ["Spanish"]
    assert result.final_output.note == "Not offered: French."


def test_reader_without_a_context_has_spanish() -> None:
    text = "Into Spanish and French: Your order is ready."

    result = run_inline(translation_desk.translation_desk, text, settings=REHEARSAL)

    assert [translation.language for translation in result.final_output.translations] == ["Spanish"]


def test_translation_that_the_reader_does_not_have_reaches_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = Message(translations=[Translation(language="German", text="Fertig.")], note="")
    monkeypatch.setattr(translation_desk.editor, "model", ScriptedModel([text_message(answer)]))

    with pytest.raises(OutputGuardrailTripwireTriggered, match="only_what_is_offered"):
        run_inline(translation_desk.editor, "Ready.", context=Reader(languages=["French"]))


def test_model_sees_only_the_tools_of_the_readers_languages() -> None:
    model = ScriptedModel(["None."])

    run_inline(translation_desk.manager.clone(model=model), "Hello", context=Reader(languages=["German"]))

    assert [tool.name for tool in model.requests[0].functions] == ["translate_to_spanish", "translate_to_german"]


def test_german_translator_gets_its_brief_from_typed_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    order = {"text": "Sign in.", "audience": "students", "form": "du"}
    manager = ScriptedModel([function_call("translate_to_german", order), "Done."])
    german = ScriptedModel(["Melde dich an."])
    monkeypatch.setattr(translation_desk.german, "model", german)

    run_inline(translation_desk.manager.clone(model=manager), "Sign in.", context=Reader(languages=["German"]))

    assert german.requests[0].input[0]["content"] == "Readers: students. Address them as „du“.\nText: Sign in."
