"""A ledger script is sent with those shared definitions that it needs, and with no others."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from orchestrator.ledger.redis_scripts import SHARED, assemble

SETTINGS = 'local settings = {due = "due"}\n'


def functions_of(name: str) -> set[str]:
    return set(re.findall(r"^local function (\w+)", assemble(name, SETTINGS), flags=re.MULTILINE))


def test_script_brings_what_it_calls_and_what_that_calls() -> None:
    assert {"cancel_run", "tell_holder", "wake", "queue_run", "get"} <= functions_of("cancel")


def test_script_leaves_out_what_it_does_not_call() -> None:
    assert functions_of("renew") == {"root_of", "run_key", "set_deadline", "renew_lease"}
    assert "session_key" not in functions_of("append")


def test_settings_stand_before_all_that_reads_them() -> None:
    text = assemble("renew", SETTINGS)

    assert text.startswith("#!lua flags=allow-oom\nlocal settings = ")


@pytest.mark.parametrize("part", SHARED)
def test_shared_files_hold_nothing_but_definitions(part: str) -> None:
    text = (files("orchestrator.ledger") / "scripts" / f"{part}.lua").read_text(encoding="utf-8")
    outside = [line for line in text.splitlines() if line and not line.startswith((" ", "--", "local ", "end", "})"))]

    assert outside == []
