"""Turns what the openai client raises into this library's errors, with a remedy in each message."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import openai

from orchestrator.errors import ModelBehaviorError, ModelCallError, ModelRequestRejected, ModelUnavailable
from orchestrator.models.openai_headers import retry_after_seconds

MAY_PASS = frozenset({408, 409, 429})
"""Statuses below 500 that the next attempt may not meet again: the ones the openai client retries."""

SHOWN_CHARACTERS = 300
SHOWN_MODELS = 12


def translate_error(
    error: openai.OpenAIError, *, model: str, host: str, path: str, models: Sequence[str] = ()
) -> ModelCallError:
    """Our error for theirs. `models` are the names that the server knows, where that helps to explain a 404."""
    details: dict[str, Any] = {"error_type": type(error).__name__, "model": model, "server": host}
    if isinstance(error, openai.APIStatusError):
        return _status_error(error, details, path, models)
    whom = f"Model `{model}` at {host}"
    causes = _causes(error)
    if isinstance(error, openai.APITimeoutError):
        text = f"{whom} did not answer in time. Raise ORCHESTRATOR_MODEL_TIMEOUT_SECONDS, or submit again later."
    elif isinstance(error, openai.APIConnectionError):
        text = f"{whom} cannot be reached: {_first_line(causes[-1])}. Check OPENAI_BASE_URL, and that the server runs."
    else:
        text = f"{whom} broke off its reply: {_first_line(error)}. Submit again later."
    return ModelUnavailable(text, **details)


def invalid_reply(model: str, host: str, problem: str, came: object) -> ModelBehaviorError:
    """The error for a reply that arrived and makes no sense."""
    text = " ".join((came if isinstance(came, str) else json.dumps(came, default=str)).split())
    shown = text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
    return ModelBehaviorError(f"Model `{model}` at {host} {problem}: {shown or 'nothing'}", model=model, server=host)


def _status_error(
    error: openai.APIStatusError, details: Mapping[str, Any], path: str, models: Sequence[str]
) -> ModelCallError:
    status = error.status_code
    said = _server_message(error).rstrip(".")
    answered = f"Model `{details['model']}` at {details['server']} answered {status}" + (f": {said}" if said else "")
    may_pass = status in MAY_PASS or status >= 500
    kind = ModelUnavailable if may_pass else ModelRequestRejected
    remedy = _remedy(error, str(details["model"]), path, models)
    found = {**details, "status": status, "retry_after_seconds": retry_after_seconds(error.response.headers)}
    return kind(f"{answered}. {remedy}", **{name: value for name, value in found.items() if value is not None})


def _remedy(error: openai.APIStatusError, model: str, path: str, models: Sequence[str]) -> str:
    match error.status_code:
        case 401:
            return "Set OPENAI_API_KEY to a key that this server accepts."
        case 403:
            return "The key in OPENAI_API_KEY may not use this model; use another key or model."
        case 404 if model in models:
            other = "chat" if path == "/responses" else "responses"
            return f"It knows the model, so it lacks {path}: try ORCHESTRATOR_MODEL_API={other}."
        case 404 if models:
            more = ", …" if len(models) > SHOWN_MODELS else ""
            known = ", ".join(models[:SHOWN_MODELS]) + more
            return f"It knows these models: {known}. Set ORCHESTRATOR_MODEL, or the agent's `model`, to one of them."
        case 404:
            return "Check the model's name (ORCHESTRATOR_MODEL, or the agent's `model`) and OPENAI_BASE_URL."
        case 429 if error.code == "insufficient_quota":
            return "The account has no quota left: check its plan and billing."
        case 429:
            return "The server limits the rate: submit again later, or run fewer workers at once."
        case status if status in MAY_PASS or status >= 500:
            return "Submit again later."
        case _:
            return "Trying again will not help: change the request."


def _server_message(error: openai.APIStatusError) -> str:
    body = error.body
    if isinstance(body, Mapping):
        # Servers wrap it as OpenAI does, or put it at the top, or answer as FastAPI does.
        inner = body.get("error", body)
        found = inner.get("message") or inner.get("detail") if isinstance(inner, Mapping) else inner
        return " ".join(str(found or "").split())[:SHOWN_CHARACTERS]
    return " ".join(str(body or "").split())[:SHOWN_CHARACTERS]


def _causes(error: BaseException) -> list[BaseException]:
    """The error and what led to it, down to the first cause."""
    chain = [error]
    while (cause := chain[-1].__cause__) is not None:
        chain.append(cause)
    return chain


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
