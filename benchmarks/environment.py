"""Keeps the caller's own settings out of what is measured."""

from __future__ import annotations

from collections.abc import MutableMapping

FOREIGN = ("ORCHESTRATOR_", "OPENAI_", "CELERY_")


def forget_settings(environment: MutableMapping[str, str]) -> None:
    """Remove what would send a side to another server, through a proxy, or slow it down by logging."""
    for name in list(environment):
        if name.startswith(FOREIGN) or name.lower().endswith("_proxy"):
            del environment[name]
