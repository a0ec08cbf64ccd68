"""Which model answers: names, prefixes and the environment."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.models.base import ModelRequest
from orchestrator.models.defaults import DEFAULT_MODEL, implicit_settings
from orchestrator.models.openai_chat import OpenAIChat
from orchestrator.models.openai_responses import OpenAIResponses
from orchestrator.models.rehearsal import RehearsalModel, say
from orchestrator.models.resolve import describe_model, resolve_model
from orchestrator.models.schema_union import SchemaUnion
from orchestrator.settings import Settings
from orchestrator.testing import ScriptedModel

KEY: dict[str, Any] = {"openai_api_key": "sk-test"}
URL = {"openai_base_url": "http://127.0.0.1:9/v1"}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_DEFAULT_MODEL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("ORCHESTRATOR_MODEL", "ORCHESTRATOR_MODEL_API"):
        monkeypatch.delenv(name, raising=False)


def test_a_model_object_is_used_as_it_is() -> None:
    model = ScriptedModel()

    assert resolve_model(model, settings=Settings()) is model


@pytest.mark.parametrize(
    ("environment", "model", "kind", "name"),
    [
        ({}, None, RehearsalModel, "rehearsal"),
        ({}, "gpt-4.1", RehearsalModel, "rehearsal"),
        ({}, "openai/gpt-4.1", RehearsalModel, "rehearsal"),
        (KEY, None, OpenAIResponses, DEFAULT_MODEL),
        (KEY, "gpt-4.1", OpenAIResponses, "gpt-4.1"),
        (KEY, "openai/gpt-4.1", OpenAIResponses, "gpt-4.1"),
        (KEY, "responses/gpt-4.1", OpenAIResponses, "gpt-4.1"),
        (KEY, "chat/meta-llama/Llama-3", OpenAIChat, "meta-llama/Llama-3"),
        (KEY, "meta-llama/Llama-3", OpenAIResponses, "meta-llama/Llama-3"),
        (KEY, "schema-union/qwen", SchemaUnion, "qwen"),
        (KEY, "rehearsal/any", RehearsalModel, "rehearsal"),
        (KEY, "rehearsal", RehearsalModel, "rehearsal"),
        (KEY | {"model": "gpt-4o"}, None, OpenAIResponses, "gpt-4o"),
        (KEY | {"model": "chat/gpt-4o"}, None, OpenAIChat, "gpt-4o"),
        (KEY | {"model": "gpt-4o"}, "gpt-4.1", OpenAIResponses, "gpt-4.1"),
        (KEY | {"model_api": "rehearsal"}, "openai/gpt-4.1", RehearsalModel, "rehearsal"),
        (KEY | URL, None, OpenAIResponses, DEFAULT_MODEL),
        (URL, "qwen", OpenAIChat, "qwen"),
        (URL, None, OpenAIChat, "first model of 127.0.0.1:9"),
        (URL | {"model_api": "schema-union"}, None, SchemaUnion, "first model of 127.0.0.1:9"),
        (URL | {"model_api": "responses"}, None, OpenAIResponses, "first model of 127.0.0.1:9"),
        ({"model_api": "responses"}, "gpt-4.1", OpenAIResponses, "gpt-4.1"),
    ],
)
def test_the_environment_and_the_name_choose(
    environment: dict[str, Any], model: str | None, kind: type, name: str
) -> None:
    resolved = resolve_model(model, settings=Settings(**environment))

    assert isinstance(resolved, kind)
    assert resolved.name == name


def test_equal_settings_give_the_same_object() -> None:
    assert resolve_model("gpt-4.1", settings=Settings(**KEY)) is resolve_model("gpt-4.1", settings=Settings(**KEY))


async def test_the_rehearsal_plays_the_agents_script() -> None:
    settings = Settings(rehearsal_latency_seconds=0)
    model = resolve_model(None, settings=settings, rehearsal=lambda _: say("on cue"))

    reply = await model.respond(ModelRequest(instructions=None, input=[]))

    assert reply.items[0]["content"][0]["text"] == "on cue"


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "rehearsal (offline, canned answers; set OPENAI_API_KEY or OPENAI_BASE_URL for a real model)"),
        (KEY, f"{DEFAULT_MODEL} via Responses at api.openai.com"),
        (KEY | {"model": "gpt-4o", "model_api": "chat"}, "gpt-4o via Chat Completions at api.openai.com"),
        (URL, "its first model via Chat Completions at 127.0.0.1:9"),
        (
            URL | {"model": "qwen", "model_api": "schema-union"},
            "qwen via Chat Completions, tools as one schema, at 127.0.0.1:9",
        ),
    ],
)
def test_the_choice_is_described_in_one_line(environment: dict[str, Any], words: str) -> None:
    assert describe_model(Settings(**environment)) == words


@pytest.mark.parametrize(
    ("model", "effort", "verbosity"),
    [
        ("gpt-5.6-luna", "none", "low"),
        ("gpt-5", "low", "low"),
        ("gpt-5-2025-08-07", "low", "low"),
        ("gpt-5.4-pro", "medium", "low"),
        ("gpt-5-mini", None, "low"),
        ("gpt-5-chat-latest", None, None),
        ("gpt-4.1", None, None),
    ],
)
def test_gpt_5_models_are_asked_to_be_quick(model: str, effort: str | None, verbosity: str | None) -> None:
    settings = implicit_settings(model)

    assert settings.reasoning == ({"effort": effort} if effort else None)
    assert settings.verbosity == verbosity
