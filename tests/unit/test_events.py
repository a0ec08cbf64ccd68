"""Events: every entry is about something that a screen can sort by."""

from __future__ import annotations

from typing import get_args

from orchestrator.delta import Delta
from orchestrator.entries import Entry
from orchestrator.events import KINDS


def test_every_kind_of_entry_is_about_something() -> None:
    entries = [*get_args(get_args(Entry)[0]), Delta]

    assert {entry.model_fields["type"].default for entry in entries} == set(KINDS)
