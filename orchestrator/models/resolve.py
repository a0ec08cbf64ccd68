"""Decides which model answers for an agent: the one given, else the one that the environment offers."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from importlib import import_module
from typing import get_args

from orchestrator.models.base import Model
from orchestrator.models.defaults import DEFAULT_MODEL
from orchestrator.models.rehearsal import RehearsalModel, Script
from orchestrator.settings import ModelApi, Settings

PREFIXES: dict[str, ModelApi] = {"openai": "responses", **{api: api for api in get_args(ModelApi)}}
"""What may stand before a model's name, with a slash. Other slashes belong to the name: `meta-llama/Llama-3`."""

_warm: set[Settings] = set()


def resolve_model(model: str | Model | None, *, settings: Settings, rehearsal: Script | None = None) -> Model:
    """The model to ask: the object given, or the one that a name and the settings lead to.

    Equal names and settings give the same object. Nothing is asked of any server here.
    """
    if model is not None and not isinstance(model, str):
        return model
    api, name = _choose(model, settings)
    if api == "rehearsal":
        return RehearsalModel(rehearsal, latency_seconds=settings.rehearsal_latency_seconds)
    return _build(api, name, settings, is_default=model is None)


def warm_up(settings: Settings) -> None:
    """Import what the first model call needs, which takes seconds: in a thread, for the event loop has no time for it.

    Does nothing where only the rehearsal model can answer.
    """
    if _choose(None, settings)[0] != "rehearsal":
        import_module("orchestrator.models.openai_responses")
        import_module("orchestrator.models.openai_chat")
    _warm.add(settings)


async def wait_until_warm(settings: Settings) -> None:
    """Before a model call: a loop that imports what a thread is importing stands still until that is done."""
    if settings not in _warm:
        await asyncio.to_thread(warm_up, settings)


def describe_model(settings: Settings) -> str:
    """One line for people: which model answers for agents that name none."""
    api, name = _choose(None, settings)
    match api:
        case "rehearsal":
            return "rehearsal (offline, canned answers; set OPENAI_API_KEY or OPENAI_BASE_URL for a real model)"
        case "responses":
            spoken = "Responses"
        case "chat":
            spoken = "Chat Completions"
        case "schema-union":
            spoken = "Chat Completions, tools as one schema,"
    from orchestrator.models.openai_client import Server

    host = Server.from_settings(settings).host
    return f"{name or _implied_name(settings) or 'its first model'} via {spoken} at {host}"


def _choose(model: str | None, settings: Settings) -> tuple[ModelApi, str | None]:
    """The API to speak, and the model's name where somebody gave one."""
    named = model or settings.model
    prefix, slash, rest = (named or "").partition("/")
    prefixed = PREFIXES.get(prefix) if slash or prefix == "rehearsal" else None
    name = (rest or None) if prefixed else named
    if settings.model_api == "rehearsal":
        return "rehearsal", name  # the operator's word: nothing leaves this machine
    if not settings.openai_api_key and not settings.openai_base_url and settings.model_api is None:
        return "rehearsal", name  # there is nothing to call
    return prefixed or settings.model_api or ("responses" if settings.openai_api_key else "chat"), name


def _implied_name(settings: Settings) -> str | None:
    """The name for agents that name no model. `None`: a server with a URL and no key has models of its own."""
    is_bare = settings.openai_base_url and not settings.openai_api_key
    return None if is_bare else DEFAULT_MODEL


@lru_cache(maxsize=256)
def _build(api: ModelApi, name: str | None, settings: Settings, *, is_default: bool) -> Model:
    # Importing the openai client takes a second, which producers and rehearsals never need to spend.
    from orchestrator.models.openai_chat import OpenAIChat
    from orchestrator.models.openai_client import Server
    from orchestrator.models.openai_responses import OpenAIResponses
    from orchestrator.models.schema_union import SchemaUnion

    server = Server.from_settings(settings)
    known = name or _implied_name(settings)
    if api == "responses":
        return OpenAIResponses(known, server, is_default=is_default)
    chat = OpenAIChat(known, server)
    return SchemaUnion(chat) if api == "schema-union" else chat
