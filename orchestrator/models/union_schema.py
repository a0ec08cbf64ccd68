"""Writes the JSON schema that offers every tool, and the plain reply, as one choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.models.base import OutputFormat, ToolSpec

Schema = dict[str, Any]

REPLY = "reply"
"""What the union calls an answer in words."""

MAX_TEXT_CHARACTERS = 1000
"""llama.cpp turns `maxLength` into repetitions in a grammar, and each token then costs more the longer they are:
150 tokens of a small model took 1.7 s without bounds, 4.0 s with 800 here, 9.5 s with 1900. It refuses over 2000."""

MAX_ARGUMENT_CHARACTERS = 300
MAX_ARRAY_ITEMS = 20

LIMITS_IN_WORDS = (
    f"A text may have up to {MAX_TEXT_CHARACTERS} characters, a text in a list up to {MAX_ARGUMENT_CHARACTERS}."
)

_BOUNDED_ALREADY = frozenset({"enum", "const", "maxLength", "pattern", "format"})


def union_schema(tools: Sequence[ToolSpec], output_format: OutputFormat | None, *, with_reply: bool) -> Schema:
    """One object out of: each tool with its arguments, and, if it may, the reply.

    Every string and array gets a bound: a small model that has lost its way repeats itself until something stops it.
    """
    definitions: Schema = {}
    branches = [_branch(tool.name, "arguments", _embed(tool.parameters, tool.name, definitions)) for tool in tools]
    if with_reply and output_format:
        branches.append(_branch(REPLY, "output", _embed(_lengthen(output_format.schema), REPLY, definitions)))
    elif with_reply:
        branches.append(_branch(REPLY, "text", {"type": "string", "maxLength": MAX_TEXT_CHARACTERS}))
    return {"anyOf": branches, **({"$defs": definitions} if definitions else {})}


def bound(schema: Any) -> Any:
    """The schema with a limit on every string and array that has none."""
    if isinstance(schema, list):
        return [bound(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    bounded = {key: value if key in ("const", "enum", "default") else bound(value) for key, value in schema.items()}
    kind = schema.get("type")
    if kind == "string" and not _BOUNDED_ALREADY & schema.keys():
        bounded["maxLength"] = MAX_ARGUMENT_CHARACTERS
    if kind == "array" and "maxItems" not in schema:
        bounded["maxItems"] = max(MAX_ARRAY_ITEMS, schema.get("minItems", 0))
    return bounded


def bound_answer(schema: Mapping[str, Any]) -> Schema:
    """The schema of an answer with limits: its own texts may be as long as a reply, those in lists are short."""
    bounded: Schema = bound(_lengthen(schema))
    return bounded


def _lengthen(schema: Mapping[str, Any]) -> Schema:
    properties = {name: _lengthen_text(part) for name, part in (schema.get("properties") or {}).items()}
    return {**schema, **({"properties": properties} if properties else {})}


def _lengthen_text(schema: Any) -> Any:
    is_free = isinstance(schema, Mapping) and schema.get("type") == "string" and not _BOUNDED_ALREADY & schema.keys()
    return {**schema, "maxLength": MAX_TEXT_CHARACTERS} if is_free else schema


def _branch(name: str, field: str, schema: Schema) -> Schema:
    return {
        "type": "object",
        # The choice comes first: what is written then depends on it.
        "properties": {"tool": {"const": name}, field: schema},
        "required": ["tool", field],
        "additionalProperties": False,
    }


def _embed(schema: Mapping[str, Any], owner: str, definitions: Schema) -> Schema:
    """The schema as part of the union: its own definitions move to the root, under names of their own."""
    local = schema.get("$defs") or {}
    for name, definition in local.items():
        definitions[f"{owner}.{name}"] = _point(bound(definition), owner)
    rest = {key: value for key, value in schema.items() if key != "$defs"}
    embedded: Schema = _point(bound(rest), owner)
    return embedded


def _point(schema: Any, owner: str) -> Any:
    """The schema with every reference turned to where `_embed` puts the definition."""
    if isinstance(schema, list):
        return [_point(part, owner) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {
        key: value.replace("#/$defs/", f"#/$defs/{owner}.", 1)
        if key == "$ref" and isinstance(value, str)
        else _point(value, owner)
        for key, value in schema.items()
    }
