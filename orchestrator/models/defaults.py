"""Which OpenAI model is meant when nobody names one, and what GPT-5 models are asked for when nobody says."""

from __future__ import annotations

import re

from orchestrator.model_settings import ModelSettings

DEFAULT_MODEL = "gpt-5.6-luna"
"""The Agents SDK's default in release 0.24."""

_EFFORTS = {
    **dict.fromkeys(["gpt-5", "gpt-5.2-codex"], "low"),
    **dict.fromkeys(["gpt-5.1", "gpt-5.2", "gpt-5.3-codex", "gpt-5.5"], "none"),
    **dict.fromkeys(["gpt-5.4", "gpt-5.4-mini", "gpt-5.4-nano"], "none"),
    **dict.fromkeys(["gpt-5.6", "gpt-5.6-luna", "gpt-5.6-sol", "gpt-5.6-terra"], "none"),
    **dict.fromkeys(["gpt-5.2-pro", "gpt-5.4-pro"], "medium"),
}
"""The least reasoning that each model offers and answers quickly with; models not listed get their server's default."""

_DATE = re.compile(r"-\d{4}-\d{2}-\d{2}$")


def implicit_settings(model: str) -> ModelSettings:
    """The settings of an agent that declares none, as the Agents SDK has them: quick and terse for GPT-5 models.

    A run's settings are laid over these; an agent's own settings replace them.
    """
    name = _DATE.sub("", model)
    if not name.startswith("gpt-5") or name.endswith("-chat-latest"):
        return ModelSettings()
    effort = _EFFORTS.get(name)
    return ModelSettings(reasoning={"effort": effort} if effort else None, verbosity="low")
