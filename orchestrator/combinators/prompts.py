"""Prompts of steps: which names they use, and how those are filled in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from orchestrator.combinators.values import as_text, to_json
from orchestrator.errors import FlowError

_PATH = r"(?P<path>(?:\.\w+)*)(?P<more>\[[^{}]*|![ars](?=\}))?"
_NAME = re.compile(rf"(?P<opening>\{{+)(?P<name>[A-Za-z_]\w*){_PATH}(?P<closing>\}}+)")


def prompt_fields(template: str) -> set[str]:
    """The names that a prompt uses, such as `input` in `"Write about {input.topic}."`. None in `{{braces}}`.

    What `str.format` knows beside, as in `{input[0]}` and `{input!r}`, is no name that anybody has.
    """
    fields = [found for found in _NAME.finditer(template) if _depth_of(found) % 2]
    return {found["name"] + (found["path"] + found["more"] if found["more"] else "") for found in fields}


def fill_prompt(template: str, values: Mapping[str, Any]) -> str:
    """The prompt with its `{name}` and `{name.field}` replaced; `{{name}}` is the text `{name}`.

    Raises `FlowError` for a name or a field that is not there.
    """
    return _NAME.sub(lambda found: _fill(found, values), template)


def to_prompt_name(label: str) -> str:
    """A step's name as prompts write it: `support.triage` is `{support_triage}`."""
    return re.sub(r"\W", "_", label)


def write_names(names: Iterable[str]) -> str:
    """Names as prompts write them, for an error's message."""
    return ", ".join(f"{{{name}}}" for name in sorted(names))


def _depth_of(found: re.Match[str]) -> int:
    """How many braces a name has around it on both sides: two are one of the text's, an odd one is a field's."""
    return min(len(found["opening"]), len(found["closing"]))


def _fill(found: re.Match[str], values: Mapping[str, Any]) -> str:
    name, path, depth = found["name"], found["path"] + (found["more"] or ""), _depth_of(found)
    pairs, is_field = divmod(depth, 2)
    inner = as_text(_look_up(name, path, values)) if is_field else name + path
    # What is left over belongs to the text around it: the end of a JSON object, say.
    return found["opening"][depth:] + "{" * pairs + inner + "}" * pairs + found["closing"][depth:]


def _look_up(name: str, path: str, values: Mapping[str, Any]) -> Any:
    written = f"{{{name}{path}}}"
    if name not in values:
        raise FlowError(f"The prompt's `{written}` cannot be filled in. Here it may use {write_names(values)}.")
    value = values[name]
    for part in path.split(".")[1:]:
        parts = to_json(value)
        if not isinstance(parts, dict) or part not in parts:
            raise FlowError(f"The prompt's `{written}` cannot be filled in: no `{part}` in {as_text(parts)[:80]}.")
        value = parts[part]
    return value
